"""The spline of a split, evaluated: value and slope, and their derivatives, from a table."""

from __future__ import annotations

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float, Int

from gaugemc.flows.circle.circle import Angle, invert_monotone
from gaugemc.flows.circle.knots import (
    CORE,
    N_ANGLES,
    TAIL,
    log_slope_slope,
    position,
    position_slope,
)
from gaugemc.kernels import native, wrap
from gaugemc.kernels.branch import alone

N_FLUXES = 128
_ROWS = N_FLUXES / (2 * np.pi)

Reads = Float[Array, "row angle 4"]
Around = Float[Array, "... 4 4"]
Index = Int[Array, "..."]
Four = tuple[Angle, Angle, Angle, Angle]


class SplitTable(eqx.Module):
    """What evaluates a `Split`: the numbers that it reads, made from its parameters."""

    reads: Reads
    """For each cell the coefficient before the cell, and three increments.

    Rows repeat at the ends, so that four in a row are always neighbours.
    """
    compiled: bool = eqx.field(static=True, default=False)
    """Whether derivatives are made by a compiled kernel."""

    def forward(self, angle: Angle, flux: Angle) -> tuple[Angle, Angle]:
        """T(a | F), not wrapped, for a in [-pi, pi], and the log of its slope."""
        return _spline(self.compiled, self.reads, angle, flux)

    def inverse(self, part: Angle, flux: Angle) -> tuple[Angle, Angle]:
        """The a in [-pi, pi] with T(a | F) = A modulo 2 pi, and the log of the slope of T there."""
        first = _spline(self.compiled, self.reads, jnp.full_like(part, -np.pi), flux)[0]
        within = first + np.pi + wrap(part - first - np.pi)
        tolerance = 1024 * float(jnp.finfo(part.dtype).eps)
        return invert_monotone(
            lambda a: _spline(self.compiled, self.reads, a, flux), within, tolerance
        )


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _spline(compiled: bool, reads: Reads, angle: Angle, flux: Angle) -> tuple[Angle, Angle]:
    """The spline and the log of its slope."""

    def evaluate(reads: Reads, angle: Angle, flux: Angle) -> tuple[Angle, Angle]:
        start, t, u = _place(angle, flux)
        across = _across(_around(reads, start), cubic(u))
        return _value(across, t), jnp.log(_slope(across, t) * position_slope(angle))

    return alone(evaluate, reads, angle, flux)


@functools.partial(_spline.defjvp, symbolic_zeros=True)
def _spline_jvp(
    compiled: bool, primals: tuple[Reads, Angle, Angle], tangents: tuple[Any, Any, Any]
) -> tuple[tuple[Angle, Angle], tuple[Angle, Angle]]:
    """The derivatives, made on the way forward: a reverse pass keeps only four numbers."""
    reads, angle, flux = primals
    derivatives = with_derivatives
    if compiled and reads.dtype == angle.dtype == flux.dtype:
        kernel = functools.partial(native.spline, tail=TAIL, core=CORE)
        derivatives = native.twinned(kernel, derivatives)
    value, log_slope, *changes = derivatives(reads, angle, flux)
    d_value, d_log = jnp.zeros_like(value), jnp.zeros_like(value)
    for by_value, by_log, tangent in zip(changes[::2], changes[1::2], tangents[1:]):
        if not isinstance(tangent, SymbolicZero):
            d_value, d_log = d_value + by_value * tangent, d_log + by_log * tangent
    if not isinstance(tangents[0], SymbolicZero):  # linear in the coefficients
        start, t, u = alone(_place, angle, flux)
        change = _across(_around(tangents[0], start), cubic(u))
        slope = changes[0] / position_slope(angle)
        d_value, d_log = d_value + _value(change, t), d_log + _slope(change, t) / slope
    return (value, log_slope), (d_value, d_log)


def with_derivatives(reads: Reads, angle: Angle, flux: Angle) -> tuple[Angle, ...]:
    """Value and log slope, and the derivatives of both by angle and by flux."""

    def derivatives(around: Around, t: Angle, u: Angle) -> tuple[Angle, ...]:
        across, bent = _across(around, cubic(u)), _across(around, _cubic_slope(u))
        value, slope, stretch = _value(across, t), _slope(across, t), position_slope(angle)
        log_by_angle = _curvature(across, t) / slope * stretch + log_slope_slope(angle)
        by_flux = _ROWS * _value(bent, t), _ROWS * _slope(bent, t) / slope
        return value, slope * stretch, log_by_angle, *by_flux

    start, t, u = alone(_place, angle, flux)
    around = alone(_around, reads, start)
    value, slope, *more = alone(derivatives, around, t, u)
    return value, jnp.log(slope), slope, *more


def _place(angle: Angle, flux: Angle) -> tuple[Index, Angle, Angle]:
    """The row and column of the cell of a flux and an angle, and the place (t, u) in the cell."""
    column, t = cell_of(position(angle), N_ANGLES)
    row, u = cell_of(row_of(flux), N_FLUXES)
    return jnp.stack([row, column], axis=-1), t, u


def _around(reads: Reads, start: Index) -> Around:
    """The four rows of a cell's column: one read of each, in one pass."""
    n = start.ndim - 1
    dimensions = jax.lax.GatherDimensionNumbers((n, n + 1), (1,), (0, 1))
    mode = jax.lax.GatherScatterMode.PROMISE_IN_BOUNDS
    return jax.lax.gather(reads, start, dimensions, (4, 1, 4), mode=mode)


def _across(around: Around, weights: Four) -> Four:
    """The sum over the rows: a coefficient and three increments."""
    a, b, c, d = weights
    first, second, third, fourth = (
        a * around[..., 0, k]
        + b * around[..., 1, k]
        + c * around[..., 2, k]
        + d * around[..., 3, k]
        for k in range(4)
    )
    return first, second, third, fourth


def _value(across: Four, t: Angle) -> Angle:
    """The value, as a sum of increments: coefficients would lose steps of 1e-6 next to pi."""
    before, d1, d2, d3 = across
    _, b1, b2, b3 = cubic(t)
    return before + (b1 + b2 + b3) * d1 + (b2 + b3) * d2 + b3 * d3


def _slope(across: Four, t: Angle) -> Angle:
    _, d1, d2, d3 = across
    q1, q2, q3 = quadratic(t)
    return q1 * d1 + q2 * d2 + q3 * d3


def _curvature(across: Four, t: Angle) -> Angle:
    _, d1, d2, d3 = across
    return (t - 1) * d1 + (1 - 2 * t) * d2 + t * d3


def row_of(flux: Angle) -> Angle:
    """Where a flux lies among the knots of F, from 0 to N_FLUXES, for any 2 pi."""
    turns = flux / (2 * np.pi)
    return N_FLUXES * (turns - jnp.floor(turns))


def cell_of(where: Angle, n: int) -> tuple[Index, Angle]:
    """The cell, one of n, and the place in the cell, from 0 to 1."""
    cell = jax.lax.stop_gradient(jnp.clip(jnp.floor(where), 0, n - 1))
    return cell.astype(jnp.int32), where - cell


def cubic(t: Angle) -> Four:
    """Weights of the four coefficients around a cell, first of the one before the cell."""
    u = 1 - t
    return u**3 / 6, (4 - 6 * t**2 + 3 * t**3) / 6, (4 - 6 * u**2 + 3 * u**3) / 6, t**3 / 6


def _cubic_slope(t: Angle) -> Four:
    u = 1 - t
    return -(u**2) / 2, t * (3 * t - 4) / 2, u * (4 - 3 * u) / 2, t**2 / 2


def quadratic(t: Angle) -> tuple[Angle, Angle, Angle]:
    """Weights of the three increments around a cell: the derivative of the cubic spline."""
    return (1 - t) ** 2 / 2, 0.5 + t * (1 - t), t**2 / 2
