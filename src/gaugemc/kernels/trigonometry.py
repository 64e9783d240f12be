"""Sine, cosine and arctangent that compile to vector arithmetic.

On CPUs XLA calls the C library for these functions, once an element. That is ten to twenty times
slower than other arithmetic, and forces and circle maps consist of little else.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float

_ARCTANGENT = (1.0, -0.3333314528, 0.1999355085, -0.1420889944, 0.1065626393)
_ARCTANGENT += (-0.0752896400, 0.0429096138, -0.0161657367, 0.0028662257)


def interval(dtype: DTypeLike) -> tuple[float, float]:
    """The smallest and the largest number of a type in [-pi, pi)."""
    size = float(np.asarray(np.pi, dtype))
    inside = size - 2 * float(jnp.finfo(dtype).eps)  # numbers from 2 to 4 are 2 eps apart
    return (-size if size <= np.pi else -inside), (size if size < np.pi else inside)


@jax.custom_jvp
@jax.jit
def wrap(angle: Float[Array, "..."]) -> Float[Array, "..."]:
    """The angle modulo 2 pi, in [-pi, pi) to the last bit; its derivative is 1 everywhere.

    Angles of that interval are left as they are. Others are rounded as angles of their size are.
    """
    rest = _nearest_zero(angle)
    return jnp.clip(rest, *interval(rest.dtype))


@wrap.defjvp
def _wrap_jvp(primals, tangents):
    return wrap(*primals), tangents[0]


def _nearest_zero(angle: Float[Array, "..."]) -> Float[Array, "..."]:
    """The angle modulo 2 pi, in [-pi, pi] but for the rounding of the angle."""
    return angle - 2 * np.pi * jnp.round(angle / (2 * np.pi))


@jax.custom_jvp
@jax.jit
def sine(angle: Float[Array, "..."]) -> Float[Array, "..."]:
    """sin(angle) to the rounding of the angle, from wrapping and Taylor's series about 0."""
    x = _nearest_zero(angle)
    x = jnp.where(jnp.abs(x) > np.pi / 2, jnp.copysign(np.pi, x) - x, x)
    terms = 7 if x.dtype == jnp.float32 else 12
    square = x * x
    series = jnp.full_like(x, (-1) ** (terms - 1) / math.factorial(2 * terms - 1))
    for k in reversed(range(terms - 1)):
        series = series * square + (-1) ** k / math.factorial(2 * k + 1)
    return x * series


def cosine(angle: Float[Array, "..."]) -> Float[Array, "..."]:
    """cos(angle) to the rounding of the angle."""
    return sine(angle + np.pi / 2)


@sine.defjvp
@jax.jit
def _sine_jvp(primals, tangents):
    (angle,), (change,) = primals, tangents
    return sine(angle), cosine(angle) * change


@jax.custom_jvp
@jax.jit
def arctangent(t: Float[Array, "..."]) -> Float[Array, "..."]:
    """arctan(t): in float32 to 1e-7, by a polynomial (Abramowitz and Stegun, 4.4.49)."""
    if t.dtype != jnp.float32:
        return jnp.arctan(t)
    size = jnp.abs(t)
    steep = size > 1
    x = jnp.where(steep, 1 / jnp.where(steep, size, 1), size)
    square = x * x
    series = jnp.full_like(x, _ARCTANGENT[-1])
    for coefficient in reversed(_ARCTANGENT[:-1]):
        series = series * square + coefficient
    angle = x * series
    return jnp.copysign(jnp.where(steep, np.pi / 2 - angle, angle), t)


@arctangent.defjvp
@jax.jit
def _arctangent_jvp(primals, tangents):
    (t,), (dt,) = primals, tangents
    return arctangent(t), dt / (1 + t * t)
