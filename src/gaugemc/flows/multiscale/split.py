"""A conditional map of the circle: how the flux of a block is split between its parts."""

import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from gaugemc.flows.circle.circle import Angle
from gaugemc.flows.circle.knots import N_ANGLES, identity_logs, position, position_slope
from gaugemc.flows.multiscale.split_table import (
    N_FLUXES,
    SplitTable,
    cell_of,
    cubic,
    quadratic,
    row_of,
)

Table = Float[Array, "flux angle"]


class Split(eqx.Module):
    """The flux A = T(a | F) of one part of a block of flux F, from a uniform angle a.

    T increases in a, is periodic in a and F, and commutes with a change of all signs (charge
    conjugation). T is a cubic B-spline in F and in the `position` of a. Its knots are even in the
    middle of the circle and logarithmic towards a = +-pi. Improbable fluxes, near A = +-pi, are
    made from angles there. So fluxes are resolved down to a probability of 1e-6.

    Where all parameters are 0, T is the identity, up to 1e-5.
    """

    log_increments: Table
    """Logs of the steps between coefficients along a, at each knot of F.

    They are relative to the steps of the identity, and a constant in them does not matter.
    """

    def table(self, compiled: bool = False) -> SplitTable:
        """The map, for evaluation, by compiled kernels if asked."""
        increments = self._increments()
        before = jnp.roll(_coefficients(increments), 1, axis=1).at[:, 0].add(-2 * np.pi)
        near = (jnp.roll(increments, steps, axis=1) for steps in (1, 0, -1))
        reads = jnp.stack([before, *near], axis=2)
        return SplitTable(jnp.pad(reads, ((1, 2), (0, 0), (0, 0)), mode="wrap"), compiled)

    def on_grid(
        self, angles: Float[Array, " n"], fluxes: Float[Array, " m"]
    ) -> tuple[Float[Array, "n m"], Float[Array, "n m"]]:
        """Values and logs of slopes for each angle with each flux, as products of matrices.

        In training, products are faster than a table.
        """
        increments = self._increments()
        line = 2 * np.pi * jnp.linspace(-0.5, 0.5, N_ANGLES, endpoint=False, dtype=angles.dtype)
        bend = _coefficients(increments) - line
        column, row = position(angles), row_of(fluxes)
        across = _weights(cubic, row, N_FLUXES).T
        bent = _product(_weights(cubic, column, N_ANGLES), bend.T, across)
        slope = _product(_weights(quadratic, column, N_ANGLES), increments.T, across)
        straight = 2 * np.pi * (column / N_ANGLES - 0.5)
        return straight[:, None] + bent, jnp.log(slope * position_slope(angles)[:, None])

    def _increments(self) -> Table:
        conjugate = jnp.roll(self.log_increments[::-1, ::-1], 1, axis=0)
        logs = (self.log_increments + conjugate) / 2
        identity = jnp.asarray(identity_logs(), logs.dtype)
        return 2 * np.pi * jax.nn.softmax(logs + identity, axis=1)


class SeriesSplit(eqx.Module):
    """A `Split` whose logs of steps are a Fourier series in F: for maps that are learned.

    A draw has one F. In a table it moves four rows, and rows that few draws meet learn little. In a
    series it moves all coefficients. Adam moves each of them alike, so the k-th harmonic has the
    weight 1 / (1 + k)^2: maps stay smooth in F, and learn details last.
    """

    coefficients: Float[Array, "wave angle"]
    """Of 1, cos F, ..., cos(k F), sin F, ..., sin(k F)."""

    @property
    def log_increments(self) -> Table:
        """Those of the split that it is."""
        return _product(jnp.asarray(_waves(), self.coefficients.dtype), self.coefficients)

    def table(self, compiled: bool = False) -> SplitTable:
        """As of `Split`."""
        return Split(self.log_increments).table(compiled)

    def on_grid(
        self, angles: Float[Array, " n"], fluxes: Float[Array, " m"]
    ) -> tuple[Float[Array, "n m"], Float[Array, "n m"]]:
        """As of `Split`."""
        return Split(self.log_increments).on_grid(angles, fluxes)


AnySplit = Split | SeriesSplit

ORDER = 16
"""The highest harmonic of a `SeriesSplit`."""


def identity_split(dtype: DTypeLike) -> SeriesSplit:
    """Where learning starts."""
    return SeriesSplit(jnp.zeros((2 * ORDER + 1, N_ANGLES), dtype))


@functools.cache
def _waves() -> Float[np.ndarray, "flux wave"]:
    """The waves of a series at the knots of F, with their weights."""
    harmonics = np.arange(ORDER + 1)
    phases = 2 * np.pi / N_FLUXES * np.outer(np.arange(N_FLUXES), harmonics)
    weights = 1 / (1 + harmonics) ** 2
    return np.hstack([weights * np.cos(phases), (weights * np.sin(phases))[:, 1:]])


def _coefficients(increments: Table) -> Table:
    """The coefficients from -pi on; charge conjugation reverses F and the order of the knots."""
    sums = np.tri(N_ANGLES, k=-1).T  # on CPUs a product is faster than a cumulative sum
    return _product(increments, jnp.asarray(sums, increments.dtype)) - np.pi


def _product(*matrices: Float[Array, "_ _"]) -> Float[Array, "_ _"]:
    """The product of matrices in full precision, also where accelerators would round."""
    return functools.reduce(functools.partial(jnp.matmul, precision="highest"), matrices)


def _weights(
    spline: Callable[[Angle], tuple[Angle, ...]], where: Float[Array, " n"], knots: int
) -> Float[Array, "n knot"]:
    """The weights of a periodic B-spline at these places."""
    cell, t = cell_of(where, knots)
    weights = jnp.zeros((len(where), knots), t.dtype)
    for k, weight in enumerate(spline(t), start=-1):
        weights += weight[:, None] * jax.nn.one_hot((cell + k) % knots, knots, dtype=t.dtype)
    return weights
