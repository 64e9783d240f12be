"""Keras's Adam as the optimiser of `gaugemc.training`: the same steps, and the same state."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras
import tensorflow as tf
from jax.experimental import jax2tf
from jaxtyping import PyTree

from gaugemc.interop.adam import Moments, moments_in, with_moments
from gaugemc.training.schedule import Descent

BETA1, EPSILON = 0.9, 1e-8
"""Of optax."""


class Adam(keras.optimizers.Adam):
    """Keras's Adam with the roundings of others.

    Epsilon stands beside the unbiased second moment, not beside the biased one. The betas have the
    type of the parameter: Keras takes a number of Python for one of float32.
    """

    def __init__(self, rate: Callable[[], tf.Tensor], beta2: float):
        super().__init__(rate)
        self.betas = BETA1, beta2

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        self.beta_1, self.beta_2 = (tf.constant(beta, variable.dtype) for beta in self.betas)
        unbiased = 1 - self.beta_2 ** tf.cast(self.iterations + 1, variable.dtype)
        self.epsilon = EPSILON * tf.sqrt(unbiased)
        super().update_step(gradient, variable, learning_rate)


class TensorFlowAdam(tf.Module):
    """Keras's Adam with our clipping and learning rates, which goes on from our state.

    Raises:
        ValueError: a parameter is complex, where the two have different second moments.
    """

    def __init__(self, parameters: list[tf.Variable], descent: Descent, state: PyTree):
        super().__init__()
        self.parameters, self.clip, self.start = parameters, descent.clip, state
        now = moments_in(state)
        self.scale = tf.Variable(1.0, dtype=tf.float64, name="scale")  # after plateaus
        rates = jax2tf.convert(descent.rates)

        def rate() -> tf.Tensor:
            count = tf.cast(self.inner.iterations, tf.int32)
            return tf.cast(rates(count), tf.float64) * self.scale

        self.inner = Adam(rate, descent.beta2)
        self.inner.build(parameters)
        # Keras has a count, and two moments after each other for each parameter.
        self.count, *moments = self.inner.variables
        self.mu, self.nu = moments[::2], moments[1::2]
        self.count.assign(now.count)
        for variable, moment in zip([*self.mu, *self.nu], [*now.mu, *now.nu], strict=True):
            variable.assign(moment)
        leaves, self.structure = jax.tree.flatten(now.plateau)
        self.plateau = [tf.Variable(leaf) for leaf in leaves]
        self.after_plateaus = descent.plateaus and jax2tf.convert(
            lambda state, loss: descent.plateaus.update(jnp.ones(()), state, value=loss)
        )

    def step(self, gradients: Sequence[tf.Tensor], loss: tf.Tensor) -> tf.Tensor:
        """Change the parameters by these gradients; returns their norm before clipping."""
        norm = tf.linalg.global_norm(gradients)
        clipped, _ = tf.clip_by_global_norm(gradients, self.clip, use_norm=norm)
        if self.after_plateaus:
            seen = jax.tree.unflatten(self.structure, [tf.identity(v) for v in self.plateau])
            scale, seen = self.after_plateaus(seen, loss)
            self.scale.assign(tf.cast(scale, tf.float64))
            for variable, leaf in zip(self.plateau, jax.tree.leaves(seen), strict=True):
                variable.assign(leaf)
        self.inner.apply(clipped, self.parameters)
        return norm

    def state(self) -> PyTree:
        """The state of `descent.in_jax` after these steps."""
        mu, nu = ([jnp.array(v.numpy()) for v in moments] for moments in (self.mu, self.nu))
        seen = [jnp.array(variable.numpy()) for variable in self.plateau]
        plateau = jax.tree.unflatten(self.structure, seen)
        return with_moments(self.start, Moments(int(self.count.numpy()), mu, nu, plateau))
