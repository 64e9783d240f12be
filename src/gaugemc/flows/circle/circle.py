"""What a circle map is: a monotone map of the circle to itself, with parameters."""

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

Angle = Float[Array, "..."]
Parameters = Float[Array, "parameter ..."]


class CircleMap(eqx.Module):
    """Orientation-preserving C^1 maps of the circle; parameters near 0 mean near the identity."""

    @property
    @abc.abstractmethod
    def n_parameters(self) -> int:
        """Number of parameters of one map."""

    @abc.abstractmethod
    def forward(self, x: Angle, parameters: Parameters) -> tuple[Angle, Angle]:
        """f(x) in [-pi, pi), for x in [-pi, pi), and log f'(x)."""

    @abc.abstractmethod
    def inverse(self, y: Angle, parameters: Parameters) -> tuple[Angle, Angle]:
        """The x in [-pi, pi) with f(x) = y, and log f'(x)."""


def invert_monotone(
    f: Callable[[Angle], tuple[Angle, Angle]], y: Angle, tolerance: float, near: Angle | None = None
) -> tuple[Angle, Angle]:
    """Solve f(x) = y for x in [-pi, pi], for an increasing f whose values there reach y.

    f returns the value and the log of the derivative. Bisection brackets the root to eight
    roundings of pi: where improbable fluxes are made, maps bend within 1e-6. Newton steps, which
    may not leave the bracket, find the rest. Where a formula is at hand, `near` is its value, and
    one Newton step takes the rounding of the formula away. The solution is differentiated by the
    implicit function rule, also with respect to what f closes over.

    Raises at run time if the residual |f(x) - y| exceeds the tolerance. Where f'(x) > 1 the
    residual may be f'(x) times as large: rounding of x allows no less.
    """

    def bisect(_: Int[Array, ""], bracket: tuple[Angle, Angle]) -> tuple[Angle, Angle]:
        low, high = bracket
        middle = (low + high) / 2
        above = f(middle)[0] > y
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    def solve(_residual: Callable[[Angle], Angle], x: Angle) -> Angle:
        low, high = jnp.full_like(x, -np.pi), jnp.full_like(x, np.pi)
        if near is None:
            bits = int(jnp.finfo(x.dtype).nmant) - 3
            low, high = jax.lax.fori_loop(0, bits, bisect, (low, high))
            x = (low + high) / 2
        for _ in range(4 if near is None else 1):
            value, log_derivative = f(x)
            x = jnp.clip(x - (value - y) * jnp.exp(-log_derivative), low, high)
        return x

    def divide(slope: Callable[[Angle], Angle], change: Angle) -> Angle:
        return change / slope(jnp.ones_like(change))

    x = jax.lax.custom_root(
        lambda x: f(x)[0] - y, jnp.zeros_like(y) if near is None else near, solve, divide
    )
    value, log_derivative = f(x)
    return converged(x, value - y, log_derivative, tolerance), log_derivative


def converged(
    x: Angle, residual: Angle, log_derivative: Angle, tolerance: float | None = None
) -> Angle:
    """x, the inverse of y, with a run-time error unless f(x) = y to the tolerance.

    By default to 64 roundings. Where f'(x) > 1 the tolerance is f'(x) times as large: no x is
    nearer.
    """
    if tolerance is None:
        tolerance = 64 * float(jnp.finfo(x.dtype).eps)
    limit = tolerance * jnp.exp(jnp.maximum(log_derivative, 0))
    return eqx.error_if(
        x,
        jnp.any(~(jnp.abs(residual) <= limit)),
        f"a circle map's inverse did not converge to {tolerance:g}: are its parameters finite?",
    )
