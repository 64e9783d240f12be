"""Training a multiscale flow level by level: each kind of split is a one-dimensional problem.

The density p_m of the flux of m plaquettes follows from the action alone. For one plaquette
p_1(phi) ~ exp(beta cos(phi)). For more, p_(m + n)(s) = int p_m(phi) p_n(s - phi) dphi: a
renormalisation-group step, done here by quadrature. If m plaquettes are split off a block of n m
plaquettes with flux s, their flux A has the density p_m(A) p_(n m - m)(s - A) / p_(n m)(s).
"""

from functools import cache
from typing import NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from gaugemc.arrays import Scalar
from gaugemc.flows import Multiscale
from gaugemc.flows.circle.knots import N_ANGLES, angle_at, position_slope
from gaugemc.flows.multiscale.multiscale import Kind, divisions
from gaugemc.flows.multiscale.split import AnySplit
from gaugemc.spaces import is_u1_2d
from gaugemc.theories import Theory

NumpyTable = Float[np.ndarray, " grid"]
Table = Float[Array, " grid"] | NumpyTable
Tree = TypeVar("Tree")

_GRID = 2048
_ANGLES = 2 * np.pi * np.arange(_GRID) / _GRID


class Level(NamedTuple):
    """The target of a kind of split. All logs of densities are per unit of angle / 2 pi."""

    count: Scalar | float
    """Splits of this kind in the lattice."""
    part: Table
    """log p_m on the grid."""
    rest: Table
    """log p_(n m - m)."""
    flux: Table
    """Quantiles of the block's flux, at equal steps of probability from 0 to 1.

    The probability is an equal mixture of p_(n m) and the uniform density.
    """
    weight: Table
    """p_(n m) over the density of the mixture, at the quantiles."""
    whole: Table
    """log p_(n m)."""


class LevelKL(eqx.Module):
    """The reverse KL divergence of a multiscale flow to 2D U(1), summed split by split.

    Each kind of split learns by itself: the flux of its block is drawn from the theory, not from
    the splits before it. All kinds learn at once. The loss is the sum of their divergences, minus
    log Z. To first order in the errors of the splits this is D_KL(q || p) - log Z, the value of
    `ReverseKL`.

    The loss needs no configurations, so it has little noise. For each kind of split it is a mean
    over a grid: `nodes` quantiles of the block's flux by `nodes` angles. The angles are at even
    positions among the knots of the split. The grid is shifted at random in each step.
    """

    nodes: int
    levels: dict[Kind, Level]
    minus_log_z: Scalar

    def __init__(self, theory: Theory, nodes: int, log_partition: float):
        self.nodes = nodes
        self.levels = jax.tree.map(jnp.asarray, level_targets(*lattice_and_beta(theory)))
        self.minus_log_z = jnp.asarray(-log_partition)

    def __call__(self, flow: Multiscale, key: Key[Array, ""], step: Int[Array, ""]) -> Scalar:
        if not self.levels:
            return self.minus_log_z
        splits = stacked([flow.splits[kind] for kind in self.levels])
        keys = jax.random.split(key, len(self.levels))
        divergences = jax.vmap(self._divergence)(splits, stacked(list(self.levels.values())), keys)
        return jnp.sum(divergences) + self.minus_log_z

    def _divergence(self, split: AnySplit, level: Level, key: Key[Array, ""]) -> Scalar:
        """The mean over a block's flux of D_KL(q(A | F) || p(A | F)), times the count."""
        dtype = split.log_increments.dtype
        places = (jnp.arange(self.nodes) + jax.random.uniform(key, (2, 1))) / self.nodes
        flux, weight = (
            jnp.interp(places[0], jnp.linspace(0, 1, _GRID + 1), table).astype(dtype)
            for table in (level.flux, level.weight)
        )
        angle = angle_at(places[1] * N_ANGLES).astype(dtype)
        density = N_ANGLES / (2 * np.pi * position_slope(angle))
        part, log_slope = split.on_grid(angle, flux)
        log_p = _periodic(level.part, part) + _periodic(level.rest, flux - part)
        log_ratio = log_slope + log_p - _periodic(level.whole, flux)
        return -level.count * jnp.mean(density[:, None] * weight * log_ratio, dtype=jnp.float64)


def lattice_and_beta(theory: Theory) -> tuple[tuple[int, ...], float]:
    """What the densities of blocks follow from.

    Raises:
        ValueError: the theory is not 2D U(1) with Wilson's action.
    """
    beta, space = theory.wilson_beta, theory.space
    if beta is None or not is_u1_2d(space):
        raise ValueError(f"levels: need 2D U(1) with Wilson's action, not {theory.name}")
    return space.lattice, float(beta)


@cache
def level_targets(lattice: tuple[int, ...], beta: float) -> dict[Kind, Level]:
    """The target of each kind of split of a lattice."""
    counts: dict[Kind, int] = {}
    blocks = 1
    for division in divisions(lattice):
        for kind in division.kinds:
            counts[kind] = counts.get(kind, 0) + blocks
        blocks *= division.n

    @cache
    def log_density(m: int) -> NumpyTable:
        if m == 1:
            table = beta * np.cos(_ANGLES)
        else:
            a, b = np.exp(log_density(m // 2)), np.exp(log_density(m - m // 2))
            steps = np.arange(_GRID)
            density = b[(steps[:, None] - steps) % _GRID] @ a
            table = np.log(np.maximum(density, np.finfo(np.float64).tiny))
        return table - np.log(np.mean(np.exp(table - table.max()))) - table.max()

    def quantiles(m: int) -> tuple[NumpyTable, NumpyTable]:
        edges = np.append(_ANGLES - np.pi, np.pi)
        density = np.exp(np.roll(log_density(m), _GRID // 2))
        density = np.append(density, density[0])
        drawn = (density + 1) / 2
        probability = np.append(0.0, np.cumsum((drawn[1:] + drawn[:-1]) / 2)) / _GRID
        flux = np.interp(np.linspace(0, 1, _GRID + 1), probability / probability[-1], edges)
        return flux, np.interp(flux, edges, density / drawn)

    targets = {}
    for (m, n), count in counts.items():
        tables = log_density(m), log_density(n * m - m), *quantiles(n * m), log_density(n * m)
        targets[m, n] = Level(float(count), *tables)
    return targets


def _periodic(table: Table, angle: Float[Array, "..."]) -> Float[Array, "..."]:
    """A function on the circle from its table, with cubics between the points (Catmull and Rom)."""
    position = angle * (_GRID / (2 * np.pi))
    cell = jnp.floor(position)
    t = (position - cell).astype(angle.dtype)
    table = table.astype(angle.dtype)
    before, here, after, next_ = (
        table[(cell.astype(jnp.int32) + step) % _GRID] for step in (-1, 0, 1, 2)
    )
    bend = 2 * before - 5 * here + 4 * after - next_
    twist = 3 * (here - after) + next_ - before
    return here + t / 2 * (after - before + t * (bend + t * twist))


def stacked(trees: list[Tree]) -> Tree:
    """Trees of one shape as one, whose arrays have a leading axis."""
    return jax.tree.map(lambda *a: jnp.stack(a) if eqx.is_array(a[0]) else a[0], *trees)
