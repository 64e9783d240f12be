"""Sine, cosine and arctangent as vector arithmetic, against the C library."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.groups import arctangent, cosine, sine

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
