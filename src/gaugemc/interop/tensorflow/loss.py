"""A loss of gaugemc as a graph of TensorFlow."""

from typing import Any

import jax
import tensorflow as tf
from jax.experimental import jax2tf
from jaxtyping import Array, Key, PyTree

from gaugemc.choices.build import without_kernels
from gaugemc.interop.leaves import leaves_of, loss_in_leaves
from gaugemc.interop.tensorflow.parameters import Parameters
from gaugemc.training.train import ChainObjective, Objective


class Loss(tf.Module):
    """An objective of `gaugemc.training` whose parameters are TensorFlow's.

    The loss and its gradient are one program of JAX inside the graph, in XLA's code alone. The loss
    of step i has the random numbers of step i of `gaugemc.training.train` with the same key.
    `loss.model()` is the model with the parameters as they are now.

    Args:
        objective: what is minimised: `ReverseKL`, `ExpectedJump`, `ForceMatch`, or any function
            (model, key, step) -> loss or (model, key, step, chains) -> (loss, chains). Compiled
            kernels give way where the objective is an `equinox.Module` that holds what has them.
        model: the flow or leapfrog to train. Its trained arrays are copied.
        key: the one source of randomness.
    """

    def __init__(self, objective: Objective | ChainObjective, model: PyTree, key: Key[Array, ""]):
        super().__init__()
        self.model = Parameters(model)
        objective, model = without_kernels((objective, model))
        numbers, loss_of = loss_in_leaves(objective, leaves_of(model))
        words = jax.random.key_data(key)

        def at(arrays: list[Array], step: Array, chains: PyTree) -> Any:
            key = jax.random.wrap_key_data(words)
            by_arrays = jax.value_and_grad(loss_of, has_aux=True)
            (loss, moved), gradient = by_arrays(arrays, numbers, key, step, chains)
            return loss, moved, gradient

        self._at = tf.function(jax2tf.convert(at, with_gradient=False), autograph=False)

    def __call__(self, step: Any, chains: PyTree = None) -> Any:
        """The loss of a training step, differentiable inside `tf.GradientTape`.

        Args:
            step: number of the step, on which random numbers and the annealed beta depend.
            chains: states of the Markov chains that the objective needs, a pytree of tensors.

        Returns:
            The loss, a tensor of shape []; with chains the loss and the states after the step.
        """
        structure = jax.tree.structure(chains)

        @tf.custom_gradient  # from the same run of the program; a second program would run it again
        def differentiated(*parameters: tf.Tensor) -> Any:
            given = (list(parameters), tf.convert_to_tensor(step, tf.int32), chains)
            loss, moved, gradient = self._at(*jax.tree.map(tf.stop_gradient, given))

            def pull(upstream: tf.Tensor, *_: tf.Tensor) -> list[tf.Tensor]:
                # JAX has the derivative by z, TensorFlow wants its complex conjugate.
                return [tf.cast(upstream, g.dtype) * tf.math.conj(g) for g in gradient]

            return (loss, *jax.tree.leaves(moved)), pull

        loss, *moved = differentiated(*map(tf.convert_to_tensor, self.model.in_order))
        return loss if chains is None else (loss, jax.tree.unflatten(structure, moved))
