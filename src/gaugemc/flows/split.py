"""A conditional map of the circle: how the flux of a block is split between its parts."""

import functools
import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from gaugemc.flows.circle import Angle, invert_monotone
from gaugemc.groups import wrap

N_FLUXES = 128
N_ANGLES = 64

_TAIL = 1e-6
_CORE = 8.0
_HALF = math.asinh(2 / _TAIL) + _CORE

Table = Float[Array, "flux angle"]
Index = Int[Array, "..."]
NumpyTable = Float[np.ndarray, " n"]


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
        return _spline(_table(self._increments()), angle, flux)

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


def position(angle: Angle) -> Angle:
    """Where an angle in [-pi, pi] lies among the knots: from 0 to N_ANGLES.

    The difference of asinh((1 + r) / tail) and asinh((1 - r) / tail), r = angle / pi, and a line.
    """
    above, below = 1 + angle / np.pi, 1 - angle / np.pi
    ratio = (above + _length(above)) / (below + _length(below))
    return N_ANGLES * ((jnp.log(ratio) + _CORE / np.pi * angle) / (2 * _HALF) + 0.5)


def position_slope(angle: Angle) -> Angle:
    """The derivative of `position`, with the same value and derivative at -pi and pi."""
    stretch = 1 / _length(1 + angle / np.pi) + 1 / _length(1 - angle / np.pi) + _CORE
    return stretch * (N_ANGLES / (2 * np.pi * _HALF))


def _length(distance: Angle) -> Angle:
    return jnp.sqrt(distance * distance + _TAIL**2)


@functools.cache
def inverse_position() -> tuple[NumpyTable, NumpyTable]:
    """Positions and how far their angles lie above -pi, for interpolation; the first half."""
    above = np.append(0, np.geomspace(_TAIL / 100, 1, 20001))
    stretched = np.arcsinh(above / _TAIL) - np.arcsinh((2 - above) / _TAIL) + _CORE * (above - 1)
    return N_ANGLES * (stretched / (2 * _HALF) + 0.5), np.pi * above


def angle_at(where: Float[Array, " n"]) -> Float[Array, " n"]:
    """The inverse of `position`, to 1e-5 of a knot."""
    distance = jnp.interp(jnp.minimum(where, N_ANGLES - where), *inverse_position())
    return jnp.where(where < N_ANGLES / 2, distance - np.pi, np.pi - distance)


@functools.cache
def identity_logs() -> NumpyTable:
    """Of the spline that is the identity at all knots."""
    knots = np.arange(N_ANGLES)
    low = np.interp(np.minimum(knots, N_ANGLES - knots), *inverse_position())
    line = 2 * np.pi * knots / N_ANGLES
    bend = np.where(knots < N_ANGLES / 2, low, 2 * np.pi - low) - line
    wave = np.fft.rfft(bend) / (2 + np.cos(2 * np.pi * np.arange(N_ANGLES // 2 + 1) / N_ANGLES)) * 3
    coefficients = np.fft.irfft(wave, N_ANGLES) + line
    return np.log(np.diff(coefficients, append=coefficients[0] + 2 * np.pi))


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
    """The spline and the log of its slope.

    It is a sum of increments, not of coefficients: steps of 1e-6 next to pi are not lost.
    """
    column, t = _cell(position(angle), N_ANGLES)
    row, u = _cell(_row(flux), N_FLUXES)
    around = _around(table, row, column)
    weights = _cubic(u)
    before, d1, d2, d3 = (
        sum((w * around[..., i, k] for i, w in enumerate(weights)), start=jnp.zeros_like(t))
        for k in range(4)
    )
    _, b1, b2, b3 = _cubic(t)
    q1, q2, q3 = _quadratic(t)
    value = before + (b1 + b2 + b3) * d1 + (b2 + b3) * d2 + b3 * d3
    return value, jnp.log((q1 * d1 + q2 * d2 + q3 * d3) * position_slope(angle))


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


def _cubic(t: Angle) -> tuple[Angle, ...]:
    """Weights of the four coefficients around a cell, from the one before it."""
    u = 1 - t
    return u**3 / 6, (4 - 6 * t**2 + 3 * t**3) / 6, (4 - 6 * u**2 + 3 * u**3) / 6, t**3 / 6


def _quadratic(t: Angle) -> tuple[Angle, ...]:
    """Weights of the three increments around a cell: the derivative of the cubic spline."""
    return (1 - t) ** 2 / 2, 0.5 + t * (1 - t), t**2 / 2
