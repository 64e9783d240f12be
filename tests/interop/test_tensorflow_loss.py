"""Losses as graphs of TensorFlow: gradients, names, and who owns which memory."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import tensorflow as tf
from jaxtyping import Array

from gaugemc.flows import vector_flow
from gaugemc.groups import SUN
from gaugemc.interop.tensorflow import Loss
from gaugemc.spaces import Euclidean, Links
from gaugemc.theories import Wilson
from gaugemc.training.train import loss_at

KEY = jax.random.key(0)


class Pair(eqx.Module):
    """Two trained arrays, and one that is not."""

    a: Array
    b: Array
    fixed: Array


PAIR = Pair(jnp.arange(1.0, 17), jnp.ones(16), jnp.arange(16))


def noisy(model: Pair, key: Array, step: Array) -> Array:
    return jnp.sum(model.a**2 * jax.random.normal(key, model.b.shape)) + step * jnp.sum(model.b)


def moving(model: Pair, key: Array, step: Array, chains: Any) -> tuple[Array, Any]:
    """A loss with chains, one of which stands still."""
    still, moved = chains
    return jnp.sum(model.a * still), (still, moved + 1)


def with_gradient(loss: Loss, *arguments: Any) -> tuple[Any, list[np.ndarray]]:
    """What the loss returns, and its gradient, from one compiled graph."""

    @tf.function(jit_compile=True, autograph=False)
    def graph() -> Any:
        with tf.GradientTape() as tape:
            found = loss(*arguments)
            value = found[0] if isinstance(found, tuple) else found
        return found, tape.gradient(value, loss.trainable_variables)

    found, gradient = graph()
    return found, [g.numpy() for g in gradient]


def test_the_loss_and_its_gradient_are_those_of_jax() -> None:
    expected, gradient = eqx.filter_value_and_grad(
        lambda m: loss_at(noisy, m, KEY, jnp.int32(3))[0]
    )(PAIR)
    value, (a, b) = with_gradient(Loss(noisy, PAIR, KEY), 3)
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    np.testing.assert_allclose(a, gradient.a, rtol=1e-14)
    np.testing.assert_allclose(b, gradient.b, rtol=1e-14)


def test_without_compilation_the_loss_is_the_same() -> None:
    loss = Loss(noisy, PAIR, KEY)
    value, (a, _) = with_gradient(loss, 2)
    with tf.GradientTape() as tape:
        other = 2 * loss(2)
    np.testing.assert_allclose(other, 2 * value, rtol=1e-14)
    gradient = tape.gradient(other, loss.model.in_order[0])
    np.testing.assert_allclose(gradient, 2 * a, rtol=1e-14)


def test_a_complex_gradient_points_uphill() -> None:
    """|z - c|^2 has the gradient 2 (z - c) there; JAX's is its conjugate."""
    aim = 1.0 + 2.0j

    def distance(model: Array, key: Array, step: Array) -> Array:
        return jnp.sum(jnp.abs(model - aim) ** 2)

    z = jnp.array([0.5 - 1.0j, 2.0j])
    _, (gradient,) = with_gradient(Loss(distance, z, KEY), 0)
    np.testing.assert_allclose(gradient, 2 * (z - aim))


def test_chains_are_returned_as_they_are_after_the_step() -> None:
    chains = (tf.fill([16], tf.constant(2.0, tf.float64)), tf.zeros(16, tf.float64))
    (_, (still, moved)), (a, b) = with_gradient(Loss(moving, PAIR, KEY), 0, chains)
    np.testing.assert_array_equal(still, np.full(16, 2.0))
    np.testing.assert_array_equal(moved, np.ones(16))
    np.testing.assert_array_equal(a, np.full(16, 2.0))
    np.testing.assert_array_equal(b, np.zeros(16))


class Scaled(eqx.Module):
    """A loss with the plaquettes of SU(2), which have a kernel that TensorFlow does not know."""

    theory: Wilson

    def __call__(self, model: Array, key: Array, step: Array, chains: Array) -> Any:
        return model * self.theory.action(chains), chains


def test_a_graph_takes_the_twins_of_compiled_kernels() -> None:
    theory = Wilson(Links(SUN(2), (2, 2), jnp.float64), 2.0)
    assert "plaquette_sum" in theory.space.kernels
    x = theory.space.random(KEY)
    loss = Loss(Scaled(theory), jnp.ones(()), KEY)
    (value, _), _ = with_gradient(loss, 0, tf.constant(x))
    np.testing.assert_allclose(value, theory.action(x), rtol=1e-12)


def test_names_are_those_of_checkpoints(key: Array) -> None:
    loss = Loss(noisy, vector_flow(key, Euclidean((2,)), n_layers=2), key)
    assert [v.name for v in loss.trainable_variables] == [
        f"{name}:0" for name in loss.model.leaves.names
    ]
    assert len(loss.trainable_variables) > 0


def test_writing_to_variables_changes_no_array_of_jax() -> None:
    loss = Loss(noisy, PAIR, KEY)
    given = loss.model()
    for variable in loss.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    np.testing.assert_array_equal(PAIR.a, np.arange(1.0, 17))
    np.testing.assert_array_equal(given.a, np.arange(1.0, 17))
    np.testing.assert_array_equal(loss.model().a, np.zeros(16))
    np.testing.assert_array_equal(loss.model().fixed, np.arange(16))
