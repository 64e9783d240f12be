"""The trained arrays of a model as variables of TensorFlow."""

import jax.numpy as jnp
import tensorflow as tf
from jaxtyping import PyTree

from gaugemc.interop.leaves import leaves_of


class Parameters(tf.Module):
    """One variable for each trained array of a model, with the name of its leaf in checkpoints."""

    def __init__(self, model: PyTree):
        super().__init__()
        self.leaves = leaves_of(model)
        named = zip(self.leaves.names, self.leaves.arrays, strict=True)
        self.in_order = [tf.Variable(leaf, name=name) for name, leaf in named]
        """The variables in the order of the model's leaves."""

    def __call__(self) -> PyTree:
        """The model with the variables as they are now, in JAX's own memory."""
        return self.leaves.model([jnp.array(variable.numpy()) for variable in self.in_order])
