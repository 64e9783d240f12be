"""Circular rational-quadratic splines (1906.04032; on the circle 2002.02428)."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gaugemc.flows.circle.circle import Angle, CircleMap, Parameters, converged
from gaugemc.kernels import wrap

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
        y, log_derivative = rational_quadratic(x, *in_bin(x, knots[0], knots))
        return wrap(y + parameters[-1]), log_derivative

    def inverse(self, y: Angle, parameters: Parameters) -> tuple[Angle, Angle]:
        y = wrap(y - parameters[-1])
        knots = self._knots(parameters)
        cell = in_bin(y, knots[1], knots)
        x = invert_rational_quadratic(y, *cell)
        value, log_derivative = rational_quadratic(x, *cell)
        return wrap(converged(x, value - y, log_derivative)), log_derivative

    def _knots(self, parameters: Parameters) -> tuple[Knots, ...]:
        """Left edges in x and y, widths, heights, and slopes at the left and right edges."""
        k = self.bins
        widths = bin_lengths(parameters[:k], 2 * np.pi, self.minimum)
        heights = bin_lengths(parameters[k : 2 * k], 2 * np.pi, self.minimum)
        slopes = knot_slopes(parameters[2 * k : 3 * k], self.minimum)
        edges = left_edges(widths, -np.pi), left_edges(heights, -np.pi)
        return *edges, widths, heights, slopes, jnp.roll(slopes, -1, axis=0)


def bin_lengths(logits: Knots, whole: float, minimum: float) -> Knots:
    """Lengths of bins that fill the whole, each at least `minimum` times the mean one."""
    bins = len(logits)
    share = minimum + (1 - minimum) * bins * jax.nn.softmax(logits, axis=0)
    return share * (whole / bins)


def knot_slopes(parameters: Knots, minimum: float) -> Knots:
    """Slopes at knots, at least `minimum`; 1 where the parameter is 0."""
    return minimum + (1 - minimum) * jax.nn.softplus(parameters + _SLOPE_AT_ZERO)


def in_bin(value: Angle, edges: Knots, knots: tuple[Knots, ...]) -> tuple[Angle, ...]:
    """Each quantity of the knots in the bin that holds the value."""
    here = [q[0] for q in knots]
    for k in range(1, len(edges)):  # selections alone, which XLA fuses into one loop
        reached = value >= edges[k]
        here = [jnp.where(reached, q[k], h) for q, h in zip(knots, here)]
    return tuple(here)


def left_edges(lengths: Knots, start: float) -> Knots:
    """Where each bin starts; the first at `start`."""
    edges = [jnp.full_like(lengths[0], start)]
    for length in lengths[:-1]:
        edges.append(edges[-1] + length)
    return jnp.stack(edges)


def rational_quadratic(
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


def invert_rational_quadratic(
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
