"""Derivatives by central differences: of few parameters, where reverse mode has no program.

The force of FT-HMC on a flow of few coefficients is compiled. The derivative of this force is not,
and XLA does not compile a trajectory of them in four dimensions in minutes. Differences need the
force alone. At fixed random numbers a loss is a smooth function of parameters: differences of the
loss have rounding for noise, and nothing else.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PyTree, Shaped

MOST = 256
"""Parameters. Each costs two calls of the function."""

Fields = Shaped[Array, "chain ..."]
Values = Float[Array, "chain value"]
Function = Callable[..., tuple[Values, Fields]]


def n_parameters(model: PyTree) -> int:
    """How many numbers of a model are trained; arrays may be given by their shapes."""
    arrays = [leaf for leaf in jax.tree.leaves(model) if hasattr(leaf, "dtype")]
    return sum(leaf.size for leaf in arrays if jnp.issubdtype(leaf.dtype, jnp.inexact))


def width(dtype: DTypeLike) -> float:
    """By how much a parameter is changed, up and down: a power of two.

    Coefficients of loops are of the size 0.1. There truncation, of the order of the width squared,
    and rounding over the width are alike.
    """
    return 2.0 ** (jnp.finfo(dtype).machep // 3)


def by_differences(function: Function) -> Function:
    """The same function (model, x, ...) -> (values, fields), with derivatives by the model alone.

    They are central differences in each parameter, for the values. The fields, which have the shape
    of x, have no derivatives.

    Raises:
        ValueError: where derivatives are taken, of a model with more than `MOST` parameters.
    """

    def derivatives(given: Any, tangents: Any) -> tuple[tuple[Values, Fields], tuple[Values, None]]:
        model, x, *rest = given
        arrays, fixed = eqx.partition(model, eqx.is_inexact_array)
        parameters, unravel = ravel_pytree(arrays)
        if (n := parameters.size) > MOST:
            raise ValueError(f"differences: at most {MOST} parameters, not {n}")
        h = width(parameters.dtype)

        def shifted(_: Fields, shift: Array) -> tuple[Fields, Values]:
            changed = eqx.combine(unravel(parameters + shift), fixed)
            values, fields = function(changed, x, *rest)
            return fields, values

        # One loop, so that the function is compiled once. The last call is at the parameters.
        each = h * jnp.eye(n, dtype=parameters.dtype)
        shifts = jnp.concatenate([each, -each, jnp.zeros_like(each[:1])])
        fields, values = jax.lax.scan(shifted, x, shifts)
        slopes = (values[:n] - values[n:-1]) / (2 * h)
        along = ravel_pytree(jax.tree.map(_or_zeros, arrays, tangents[0]))[0]
        return (values[-1], fields), (jnp.tensordot(along.astype(slopes.dtype), slopes, 1), None)

    run = eqx.filter_custom_jvp(function)
    run.def_jvp(derivatives)
    return run


def _or_zeros(array: Array, tangent: Array | None) -> Array:
    return jnp.zeros_like(array) if tangent is None else tangent
