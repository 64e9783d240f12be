"""Each kernel against its plain twin: the same values and the same derivatives."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from gaugemc.kernels import alone, apart, either, matmul, on_links, sums_before, together

FIELD, MATRICES = (4, 6), (5, 3, 3)


def selected(x: Array, y: Array) -> Array:
    return either(jnp.sum(x) > 0, jnp.sin, jnp.cos, y)


def plainly_selected(x: Array, y: Array) -> Array:
    return jnp.where(jnp.sum(x) > 0, jnp.sin(y), jnp.cos(y))


TWINS = {
    "matmul": (matmul, jnp.matmul, MATRICES),
    "on_links": (on_links, lambda x, y: jnp.stack([x, y]), FIELD),
    "sums_before": (
        lambda x, y: sums_before(x * y),
        lambda x, y: jnp.cumsum(x * y, axis=-1) - x * y,
        FIELD,
    ),
    "apart": (
        lambda x, y: jnp.stack(apart(x * y, 1, 3)),
        lambda x, y: jnp.stack([(x * y)[:, k::3] for k in range(3)]),
        FIELD,
    ),
    "together": (
        lambda x, y: together([x, y], 0),
        lambda x, y: jnp.zeros((8, 6)).at[0::2].set(x).at[1::2].set(y),
        FIELD,
    ),
    "alone": (
        lambda x, y: alone(lambda x, y: jnp.exp(x) * y, x, y),
        lambda x, y: jnp.exp(x) * y,
        FIELD,
    ),
    "either": (selected, plainly_selected, FIELD),
}


@pytest.mark.parametrize("name", TWINS)
def test_a_kernel_and_its_twin_agree(name: str, key: Array) -> None:
    ours, plain, shape = TWINS[name]
    x, y, weights = (jax.random.normal(k, shape) for k in jax.random.split(key, 3))

    def score(f: Callable) -> Callable[[Array, Array], Array]:
        return lambda x, y: jnp.sum(jnp.tanh(f(x, y)) * f(weights, weights))

    np.testing.assert_allclose(ours(x, y), plain(x, y), rtol=0, atol=1e-14)
    mine, theirs = (jax.jit(jax.grad(score(f), (0, 1)))(x, y) for f in (ours, plain))
    np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-12)
