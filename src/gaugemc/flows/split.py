"""A conditional map of the circle: how the flux of a block is split between its parts."""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from gaugemc.flows.circle import Angle, invert_monotone
from gaugemc.flows.knots import N_ANGLES, identity_logs, position, position_slope
from gaugemc.groups import wrap

N_FLUXES = 128

Table = Float[Array, "flux angle"]
Index = Int[Array, "..."]
Four = tuple[Angle, Angle, Angle, Angle]


class Split(eqx.Module):
    """The flux A = T(a | F) of one part of a block of flux F, from a uniform angle a.

    T increases around the circle in a, is periodic in both, and commutes with the change of all
    signs (charge conjugation). It is a cubic B-spline in F and in the `position` of a. Its knots
    are even in the middle of the circle and logarithmic towards a = +-pi, which improbable fluxes
    near A = +-pi are made from: they are resolved down to a probability of 1e-6.
    """

    log_increments: Table
    """Logs of the steps between coefficients along a, at each knot of F: up to a constant, and
    relative to those of the identity."""

    def __init__(self, dtype: DTypeLike):
        """The identity, up to 1e-5."""
        self.log_increments = jnp.zeros((N_FLUXES, N_ANGLES), dtype)

    def forward(self, angle: Angle, flux: Angle) -> tuple[Angle, Angle]:
        """T(a | F), not wrapped, for a in [-pi, pi], and the log of its slope."""
        table = _table(self._increments())

        def identity(_: Array, angle: Angle, flux: Angle) -> tuple[Angle, Angle]:
            return angle, jnp.zeros_like(flux)

        # Always the first branch, but XLA does not know: it would make the spline a part of the
        # loops that put blocks together, and do it anew for every entry (4 times slower on CPUs).
        return jax.lax.cond(~(table[0, 0, 0] >= 0), _spline, identity, table, angle, flux)

    def inverse(self, part: Angle, flux: Angle) -> tuple[Angle, Angle]:
        """The a in [-pi, pi] with T(a | F) = A modulo 2 pi, and the log of the slope of T there."""
        table = _table(self._increments())
        first = _spline(table, jnp.full_like(part, -np.pi), flux)[0]
        within = first + np.pi + wrap(part - first - np.pi)
        tolerance = 1024 * float(jnp.finfo(part.dtype).eps)
        return invert_monotone(lambda a: _spline(table, a, flux), within, tolerance)

    def on_grid(
        self, angles: Float[Array, " n"], fluxes: Float[Array, " m"]
    ) -> tuple[Float[Array, "n m"], Float[Array, "n m"]]:
        """`forward` for each angle with each flux, as products of matrices: fast to train with."""
        increments = self._increments()
        line = 2 * np.pi * jnp.linspace(-0.5, 0.5, N_ANGLES, endpoint=False, dtype=angles.dtype)
        bend = _coefficients(increments) - line
        column, row = position(angles), _row(fluxes)
        across = _weights(_cubic, row, N_FLUXES).T
        bent = _product(_weights(_cubic, column, N_ANGLES), bend.T, across)
        slope = _product(_weights(_quadratic, column, N_ANGLES), increments.T, across)
        straight = 2 * np.pi * (column / N_ANGLES - 0.5)
        return straight[:, None] + bent, jnp.log(slope * position_slope(angles)[:, None])

    def _increments(self) -> Table:
        conjugate = jnp.roll(self.log_increments[::-1, ::-1], 1, axis=0)
        logs = (self.log_increments + conjugate) / 2
        identity = jnp.asarray(identity_logs(), logs.dtype)
        return 2 * np.pi * jax.nn.softmax(logs + identity, axis=1)


def _coefficients(increments: Table) -> Table:
    """From -pi on; charge conjugation turns F -> -F and the order of the knots around."""
    sums = np.tri(N_ANGLES, k=-1).T  # on CPUs a product is faster than a cumulative sum
    return _product(increments, jnp.asarray(sums, increments.dtype)) - np.pi


def _product(*matrices: Float[Array, "_ _"]) -> Float[Array, "_ _"]:
    """In full precision also where accelerators would round."""
    return functools.reduce(functools.partial(jnp.matmul, precision="highest"), matrices)


def _table(increments: Table) -> Float[Array, "row angle 4"]:
    """What `_spline` reads: for each cell the coefficient before it and three increments.

    Rows repeat at the ends, so that four in a row are always neighbours.
    """
    before = jnp.roll(_coefficients(increments), 1, axis=1).at[:, 0].add(-2 * np.pi)
    near = (jnp.roll(increments, steps, axis=1) for steps in (1, 0, -1))
    return jnp.pad(jnp.stack([before, *near], axis=2), ((1, 2), (0, 0), (0, 0)), mode="wrap")


def _spline(table: Float[Array, "row angle 4"], angle: Angle, flux: Angle) -> tuple[Angle, Angle]:
    """The spline and the log of its slope."""
    column, t = _cell(position(angle), N_ANGLES)
    row, u = _cell(_row(flux), N_FLUXES)
    value, slope = _in_cell(_around(table, row, column), t, u)
    return value, jnp.log(slope * position_slope(angle))


@jax.custom_jvp
def _in_cell(around: Float[Array, "... 4 4"], t: Angle, u: Angle) -> tuple[Angle, Angle]:
    """The spline at the place (t, u) of a cell, and its derivative with respect to t."""
    across = _across(around, _cubic(u))
    return _value(across, t), _slope(across, t)


@functools.partial(_in_cell.defjvp, symbolic_zeros=True)
def _in_cell_jvp(
    primals: tuple[Array, Angle, Angle], tangents: tuple[Any, Any, Any]
) -> tuple[tuple[Angle, Angle], tuple[Angle, Angle]]:
    """Derivatives are made on the way forward: a reverse pass only multiplies."""
    around, t, u = primals
    across, bent = _across(around, _cubic(u)), _across(around, _cubic_slope(u))
    _, d1, d2, d3 = across
    value, slope = _value(across, t), _slope(across, t)
    curvature = (t - 1) * d1 + (1 - 2 * t) * d2 + t * d3
    changes = [(slope, curvature), (_value(bent, t), _slope(bent, t))]
    d_value, d_slope = jnp.zeros_like(value), jnp.zeros_like(slope)
    for (by_value, by_slope), tangent in zip(changes, tangents[1:]):
        if not isinstance(tangent, SymbolicZero):
            d_value, d_slope = d_value + by_value * tangent, d_slope + by_slope * tangent
    if not isinstance(tangents[0], SymbolicZero):  # linear in the coefficients
        change = _across(tangents[0], _cubic(u))
        d_value, d_slope = d_value + _value(change, t), d_slope + _slope(change, t)
    return (value, slope), (d_value, d_slope)


def _across(around: Float[Array, "... 4 4"], weights: Four) -> Four:
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
    """A sum of increments, not of coefficients: steps of 1e-6 next to pi are not lost."""
    before, d1, d2, d3 = across
    _, b1, b2, b3 = _cubic(t)
    return before + (b1 + b2 + b3) * d1 + (b2 + b3) * d2 + b3 * d3


def _slope(across: Four, t: Angle) -> Angle:
    _, d1, d2, d3 = across
    q1, q2, q3 = _quadratic(t)
    return q1 * d1 + q2 * d2 + q3 * d3


def _around(
    table: Float[Array, "row angle 4"], row: Index, column: Index
) -> Float[Array, "... 4 4"]:
    """The four rows of a cell's column: one read of each, in one pass."""
    n = row.ndim
    dimensions = jax.lax.GatherDimensionNumbers((n, n + 1), (1,), (0, 1))
    start = jnp.stack([row, column], axis=-1)
    mode = jax.lax.GatherScatterMode.PROMISE_IN_BOUNDS
    return jax.lax.gather(table, start, dimensions, (4, 1, 4), mode=mode)


def _row(flux: Angle) -> Angle:
    """Where a flux lies among the knots of F, from 0 to N_FLUXES, for any 2 pi."""
    turns = flux / (2 * np.pi)
    return N_FLUXES * (turns - jnp.floor(turns))


def _cell(where: Angle, n: int) -> tuple[Index, Angle]:
    """The cell, one of n, and the place in it, from 0 to 1."""
    cell = jax.lax.stop_gradient(jnp.clip(jnp.floor(where), 0, n - 1))
    return cell.astype(jnp.int32), where - cell


def _weights(
    spline: Callable[[Angle], tuple[Angle, ...]], where: Float[Array, " n"], knots: int
) -> Float[Array, "n knot"]:
    """The weights of a periodic B-spline at these places."""
    cell, t = _cell(where, knots)
    weights = jnp.zeros((len(where), knots), t.dtype)
    for k, weight in enumerate(spline(t), start=-1):
        weights += weight[:, None] * jax.nn.one_hot((cell + k) % knots, knots, dtype=t.dtype)
    return weights


def _cubic(t: Angle) -> Four:
    """Weights of the four coefficients around a cell, from the one before it."""
    u = 1 - t
    return u**3 / 6, (4 - 6 * t**2 + 3 * t**3) / 6, (4 - 6 * u**2 + 3 * u**3) / 6, t**3 / 6


def _cubic_slope(t: Angle) -> Four:
    u = 1 - t
    return -(u**2) / 2, t * (3 * t - 4) / 2, u * (4 - 3 * u) / 2, t**2 / 2


def _quadratic(t: Angle) -> tuple[Angle, Angle, Angle]:
    """Weights of the three increments around a cell: the derivative of the cubic spline."""
    return (1 - t) ** 2 / 2, 0.5 + t * (1 - t), t**2 / 2
