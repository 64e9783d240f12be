"""Circular rational-quadratic splines (1906.04032; on the circle 2002.02428)."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gaugemc.flows.circle import Angle, CircleMap, Parameters, converged
from gaugemc.groups import wrap

Knots = Float[Array, "bin ..."]

_SLOPE_AT_ZERO = float(np.log(np.e - 1))  # softplus of this is 1


class Spline(CircleMap):
    """A monotone rational-quadratic spline with periodic slopes, followed by a rotation.

    Parameters: `bins` log-widths, `bins` log-heights, `bins` slopes at the knots, one angle.
    The map is C^1, so forces exist everywhere. `minimum` is a lower bound of widths and heights, in
    units of the mean bin, and of slopes at knots. Between knots the map may be flatter. Where its
    slope is f', the inverse of y is known to the rounding of y over f', no better: with parameters
    of size 1 and 8 bins f' may be 1e-4, and the inverse in float32 then has three digits.
    """

    bins: int = 8
    minimum: float = 0.02

    @property
    def n_parameters(self) -> int:
        return 3 * self.bins + 1

    def forward(self, x: Angle, parameters: Parameters) -> tuple[Angle, Angle]:
        knots = self._knots(parameters)
        y, log_derivative = _rational_quadratic(x, *_in_bin(x, knots[0], knots))
        return wrap(y + parameters[-1]), log_derivative

    def inverse(self, y: Angle, parameters: Parameters) -> tuple[Angle, Angle]:
        y = wrap(y - parameters[-1])
        knots = self._knots(parameters)
        cell = _in_bin(y, knots[1], knots)
        x = _invert_rational_quadratic(y, *cell)
        value, log_derivative = _rational_quadratic(x, *cell)
        return wrap(converged(x, value - y, log_derivative)), log_derivative

    def _knots(self, parameters: Parameters) -> tuple[Knots, Knots, Knots, Knots, Knots]:
        """Left edges in x and y, widths, heights, and slopes at the left edges."""
        k = self.bins

        def lengths(logits: Knots) -> Knots:
            share = self.minimum + (1 - self.minimum) * k * jax.nn.softmax(logits, axis=0)
            return share * (2 * np.pi / k)

        widths, heights = lengths(parameters[:k]), lengths(parameters[k : 2 * k])
        softplus = jax.nn.softplus(parameters[2 * k : 3 * k] + _SLOPE_AT_ZERO)
        slopes = self.minimum + (1 - self.minimum) * softplus
        return _left_edges(widths), _left_edges(heights), widths, heights, slopes


def _in_bin(value: Angle, edges: Knots, knots: tuple[Knots, ...]) -> tuple[Angle, ...]:
    """Each knot quantity in the bin that holds the value, and the slope at the bin's right edge."""
    quantities = (*knots, jnp.roll(knots[-1], -1, axis=0))
    here = [q[0] for q in quantities]
    for k in range(1, len(edges)):  # selections alone, which XLA fuses into one loop
        reached = value >= edges[k]
        here = [jnp.where(reached, q[k], h) for q, h in zip(quantities, here)]
    return tuple(here)


def _left_edges(lengths: Knots) -> Knots:
    """Where each bin starts; the first at -pi."""
    edges = [jnp.full_like(lengths[0], -np.pi)]
    for length in lengths[:-1]:
        edges.append(edges[-1] + length)
    return jnp.stack(edges)


def _rational_quadratic(
    x: Angle, x0: Angle, y0: Angle, width: Angle, height: Angle, d0: Angle, d1: Angle
) -> tuple[Angle, Angle]:
    """The segment from (x0, y0) with end slopes d0, d1, and the log of its derivative."""
    s = height / width
    t = (x - x0) / width
    u = t * (1 - t)
    denominator = s + (d0 + d1 - 2 * s) * u
    y = y0 + height * (s * t**2 + d0 * u) / denominator
    numerator = d1 * t**2 + 2 * s * u + d0 * (1 - t) ** 2
    return y, 2 * jnp.log(s) + jnp.log(numerator) - 2 * jnp.log(denominator)


def _invert_rational_quadratic(
    y: Angle, x0: Angle, y0: Angle, width: Angle, height: Angle, d0: Angle, d1: Angle
) -> Angle:
    """The x of a segment at height y: the stable root of a quadratic (1906.04032, Eqs. 6-8).

    Flat segments lose digits in the discriminant. Two steps of Newton's method bring them back.
    """
    s = height / width
    rise = y - y0
    bend = d0 + d1 - 2 * s
    a = height * (s - d0) + rise * bend
    b = height * d0 - rise * bend
    c = -s * rise
    root = jnp.sqrt(jnp.maximum(b**2 - 4 * a * c, 0))
    t = 2 * c / (-b - root)
    for _ in range(2):
        u = t * (1 - t)
        denominator = s + bend * u
        excess = (s * t**2 + d0 * u) / denominator - rise / height
        slope = s * (d1 * t**2 + 2 * s * u + d0 * (1 - t) ** 2) / denominator**2
        t = t - excess / slope
        t = jnp.where(t < 0, 0, jnp.where(t > 1, 1, t))  # at the ends the derivative is that of t
    return x0 + width * t
