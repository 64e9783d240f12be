"""Derivatives by central differences: their accuracy, what has none, and the limit of their cost.

Those of expected jumps are beside the other tests of jumps of flows.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from gaugemc.training.differences import MOST, by_differences


def waves(model: dict[str, Array], x: Array, shift: Array) -> tuple[Array, Array]:
    """Values [chain, 2] that bend with the parameters, and fields that follow them."""
    phase = x @ model["a"] + shift
    return jnp.stack([jnp.sin(phase), jnp.exp(-phase)], axis=1), x + jnp.sum(model["a"])


@pytest.mark.parametrize(("dtype", "error"), [(jnp.float64, 1e-9), (jnp.float32, 1e-4)])
def test_values_have_their_derivatives_and_fields_none(
    dtype: Any, error: float, key: Array
) -> None:
    """The error of truncation is a sixth of the third derivative times the width squared."""
    a, x = jax.random.uniform(key, (3,), dtype), jax.random.uniform(key, (5, 3), dtype)
    model, shift = {"a": a, "seed": jnp.arange(2)}, jnp.asarray(0.3, dtype)
    weights = jax.random.normal(key, (5, 2), dtype)

    def loss(function: Any, of_fields: float, a: Array) -> tuple[Array, Array]:
        values, fields = function({**model, "a": a}, x, shift)
        return jnp.sum(weights * values) + of_fields * jnp.sum(fields), fields

    def gradient(function: Any, of_fields: float) -> tuple[tuple[Array, Array], Array]:
        return jax.value_and_grad(lambda a: loss(function, of_fields, a), has_aux=True)(a)

    exact, ours = gradient(waves, 0.0), gradient(by_differences(waves), 1.0)
    size = float(jnp.linalg.norm(exact[1]))
    np.testing.assert_allclose(ours[1], exact[1], rtol=0, atol=error * size)
    np.testing.assert_array_equal(ours[0][1], exact[0][1])


def test_chains_may_be_mapped(key: Array) -> None:
    """As where a loss is measured chain by chain."""
    a, x = jax.random.uniform(key, (3,)), jax.random.uniform(key, (5, 3))
    shift = jnp.zeros(())

    def slopes(function: Any) -> Array:
        def of(a: Array, x: Array) -> Array:
            return function({"a": a}, x[None], shift)[0].sum()

        return jax.vmap(jax.grad(of), (None, 0))(a, x)

    np.testing.assert_allclose(slopes(by_differences(waves)), slopes(waves), rtol=1e-8)


def test_many_parameters_are_refused() -> None:
    parameters = jnp.zeros(MOST + 1)
    function = by_differences(lambda model, x: (x * jnp.sum(model), x))
    assert function(parameters, jnp.ones((1, 1)))[0].shape == (1, 1)  # no derivatives
    with pytest.raises(ValueError, match=f"at most {MOST} parameters, not {MOST + 1}"):
        jax.grad(lambda model: function(model, jnp.ones((1, 1)))[0].sum())(parameters)
