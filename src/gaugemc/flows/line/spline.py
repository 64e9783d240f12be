"""Rational-quadratic splines of the real line with straight tails (1906.04032)."""

import jax.numpy as jnp
from jaxtyping import Array, Bool

from gaugemc.flows.circle.spline import (
    Knots,
    bin_lengths,
    in_bin,
    invert_rational_quadratic,
    knot_slopes,
    left_edges,
    rational_quadratic,
)
from gaugemc.flows.line.line import Affine, LineMap, Parameters, Value


class LineSpline(LineMap):
    """A spline that takes [-reach, reach] to itself and is the identity outside, then `Affine`.

    Parameters: `bins` log-widths, `bins` log-heights, bins - 1 slopes at the knots inside, and the
    two of the affine map. At the ends the slope is 1, so the map is C^1 and forces exist
    everywhere (1906.04032, section 3.1, linear tails). `minimum` bounds widths and heights, in
    units of the mean bin, and slopes from below.
    """

    bins: int = 8
    reach: float = 5.0
    minimum: float = 0.02
    bound: float = 3.0

    def __check_init__(self) -> None:
        if self.bins < 2 or not self.reach > 0:
            raise ValueError(
                f"bins {self.bins}, reach {self.reach}: must be at least 2, and positive"
            )

    @property
    def n_parameters(self) -> int:
        return 3 * self.bins + 1

    def forward(self, x: Value, parameters: Parameters) -> tuple[Value, Value]:
        knots = self._knots(parameters)
        inside, within = self._clipped(x)
        bent, log_slope = rational_quadratic(inside, *in_bin(inside, knots[0], knots))
        y, s = self._affine.forward(jnp.where(within, bent, x), parameters[-2:])
        return y, jnp.where(within, log_slope, 0) + s

    def inverse(self, y: Value, parameters: Parameters) -> tuple[Value, Value]:
        bent, s = self._affine.inverse(y, parameters[-2:])
        knots = self._knots(parameters)
        inside, within = self._clipped(bent)
        cell = in_bin(inside, knots[1], knots)
        x = invert_rational_quadratic(inside, *cell)
        log_slope = rational_quadratic(x, *cell)[1]
        return jnp.where(within, x, bent), jnp.where(within, log_slope, 0) + s

    @property
    def _affine(self) -> Affine:
        return Affine(self.bound)

    def _clipped(self, x: Value) -> tuple[Value, Bool[Array, "..."]]:
        """x moved into the interval, where derivatives stay finite, and whether it was inside."""
        return jnp.clip(x, -self.reach, self.reach), jnp.abs(x) < self.reach

    def _knots(self, parameters: Parameters) -> tuple[Knots, ...]:
        """Left edges in x and y, widths, heights, and slopes at the left and right edges."""
        k, length = self.bins, 2 * self.reach
        widths = bin_lengths(parameters[:k], length, self.minimum)
        heights = bin_lengths(parameters[k : 2 * k], length, self.minimum)
        inner = knot_slopes(parameters[2 * k : 3 * k - 1], self.minimum)
        end = jnp.ones_like(inner[:1])
        left, right = jnp.concatenate([end, inner]), jnp.concatenate([inner, end])
        edges = left_edges(widths, -self.reach), left_edges(heights, -self.reach)
        return *edges, widths, heights, left, right
