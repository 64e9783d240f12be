"""Sine, cosine and arctangent as vector arithmetic, against the C library."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.kernels import arctangent, cosine, sine, wrap

PAIRS = [(sine, np.sin), (cosine, np.cos), (arctangent, np.arctan)]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=["sine", "cosine", "arctangent"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float32, 5e-7), (jnp.float64, 2e-15)])
def test_agrees_with_the_library(ours: Callable, theirs: Callable, dtype: type, tolerance: float):
    x = np.concatenate([np.linspace(-6, 6, 2001), np.tan(np.linspace(-1.57, 1.57, 2001))])
    x = x[np.abs(x) < (np.inf if ours is arctangent else 7)].astype(dtype)
    y = ours(jnp.asarray(x))
    assert y.dtype == dtype
    np.testing.assert_allclose(y, theirs(x.astype(np.float64)), atol=tolerance)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=["sine", "cosine", "arctangent"])
def test_derivatives(ours: Callable, theirs: Callable):
    x = jnp.linspace(-5, 5, 101)
    steps = 1e-5 * np.array([-1, 1])
    differences = (theirs(x + steps[1]) - theirs(x + steps[0])) / 2e-5
    np.testing.assert_allclose(jax.vmap(jax.grad(ours))(x), differences, atol=1e-9)
    second = jax.vmap(jax.grad(jax.grad(ours)))(x)
    assert np.all(np.isfinite(second))


def ends(dtype: type) -> np.ndarray:
    """The ends of the circle, their neighbours, and those of other turns."""
    pi = np.asarray(np.pi, dtype)[()]
    odd = np.asarray([-3, 3, 5, 101, -1001], dtype) * pi
    near = [np.nextafter(x, to) for x in (pi, -pi, *odd) for to in (dtype(-1e9), dtype(1e9))]
    return np.asarray([pi, -pi, *odd, *near], dtype)


@pytest.mark.parametrize("compile", [jax.jit, lambda f: f], ids=["jit", "eager"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_wrap(dtype: type, compile: Callable):
    """In [-pi, pi) as float64 sees it, for any finite angle, and the same angle to rounding."""
    several = np.linspace(-60, 60, 10_001, dtype=dtype)
    x = np.concatenate([ends(dtype), several])
    y = np.asarray(compile(wrap)(jnp.asarray(x)))
    assert y.dtype == dtype
    assert y.astype(np.float64).min() >= -np.pi
    assert y.astype(np.float64).max() < np.pi
    turns = (x.astype(np.float64) - y.astype(np.float64)) / (2 * np.pi)
    rounding = np.finfo(dtype).eps * np.maximum(4, np.abs(x))
    assert np.all(np.abs(turns - np.round(turns)) < rounding)
    huge = np.asarray([1e6, -1e10, 1e20, -1e30, np.finfo(dtype).max], dtype)
    wrapped = np.asarray(compile(wrap)(jnp.asarray(huge))).astype(np.float64)
    assert np.all((wrapped >= -np.pi) & (wrapped < np.pi))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_wrap_leaves_the_interval_alone(dtype: type):
    x = np.linspace(-3.14, 3.14, 1001, dtype=dtype)
    np.testing.assert_array_equal(wrap(jnp.asarray(x)), x)
    np.testing.assert_array_equal(
        wrap(wrap(jnp.asarray(ends(dtype)))), wrap(jnp.asarray(ends(dtype)))
    )


def test_wrap_has_derivative_one_everywhere():
    angles = jnp.asarray(np.append(ends(np.float64), [0.0, 100.0]))
    np.testing.assert_array_equal(jax.vmap(jax.grad(wrap))(angles), 1.0)
    np.testing.assert_array_equal(jax.vmap(jax.grad(jax.grad(wrap)))(angles), 0.0)
    np.testing.assert_array_equal(jax.jvp(wrap, (angles,), (angles,))[1], angles)
