"""Training a multiscale flow of SU(N) level by level: each kind of split is a map of one matrix.

The density of the loop of m plaquettes is p_m = sum_R d_R (w_R / w_0)^m chi_R (Migdal 1975), known
from the action alone. If m plaquettes are cut off a block of n m plaquettes with the loop W, their
loop W_a has the density p_m(W_a) p_(n m - m)(W_a^-1 W) / p_(n m)(W).
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Int, Key

from gaugemc.arrays import Scalar
from gaugemc.exact.sun import Irreps, character_coefficients, characters, irreps
from gaugemc.flows import MatrixMultiscale
from gaugemc.flows.multiscale.matrix_multiscale import cuts, split_kinds_of
from gaugemc.flows.multiscale.matrix_split import MatrixSplit
from gaugemc.groups import SUN
from gaugemc.theories import Theory
from gaugemc.training.levels import stacked

Matrices = Complex[Array, "batch N N"]
_CANDIDATES = 16
"""Haar matrices for each loop of a block, of which one is taken by its density."""


class BlockDensity(NamedTuple):
    """p_m, relative to the Haar measure."""

    coefficients: Float[Array, " irrep"] | Float[np.ndarray, " irrep"]
    single: Bool[Array, ""] | bool
    """Whether m = 1: then p_m is the weight itself, and no sum of characters loses digits."""

    def log(
        self, rows: Int[np.ndarray, "irrep N"], weight: "Weight", matrices: Matrices
    ) -> Float[Array, " batch"]:
        """log p_m of each matrix."""
        trace = jnp.trace(matrices, axis1=-2, axis2=-1).astype(jnp.complex128)
        blocks = jnp.tensordot(self.coefficients, characters(rows, trace), 1)
        tiny = float(jnp.finfo(jnp.float32).eps) ** 2  # what rounding leaves of improbable loops
        plaquette = weight.beta * (trace.real / rows.shape[1] - 1) - weight.log_w0
        return jnp.where(self.single, plaquette, jnp.log(jnp.maximum(blocks, tiny)))


class Weight(NamedTuple):
    """Of one plaquette."""

    beta: Scalar | float
    log_w0: Scalar | float
    """log of the mean of exp(beta (Re tr U / N - 1)) over the group."""


class MatrixLevel(NamedTuple):
    """The target of a kind of split."""

    count: Scalar | float
    """Splits of this kind in the lattice."""
    part: BlockDensity
    rest: BlockDensity
    whole: BlockDensity


class MatrixLevelKL(eqx.Module):
    """The reverse KL divergence of a multiscale flow to 2D SU(2) or SU(3), summed split by split.

    Each kind of split learns by itself, from `batch` Haar matrices W_a and as many loops W of
    blocks, drawn from the theory. The value is an estimate of D_KL(q || p) - log Z to first order
    in the errors of the splits, the value of `ReverseKL`.

    The estimate of D_KL is the mean of w - 1 - log w, with w = p / q: the mean of w is 1, and near
    q = p both the estimate and its gradient have no noise. Above w = 2 it goes on along its
    tangent in log w, so that no single matrix decides a step: there it is less than D_KL, and its
    only minimum is q = p all the same.
    """

    batch: int
    rows: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    group: SUN = eqx.field(static=True)
    weight: Weight
    levels: dict[tuple[int, int], MatrixLevel]
    minus_log_z: Scalar

    def __init__(self, theory: Theory, batch: int, log_partition: float):
        space, kinds = split_kinds_of(theory)
        assert isinstance(space.group, SUN)
        n, beta = space.group.n, float(theory.own_beta)
        sums = irreps(n, beta, 2, smallest=1e-20)
        counts = dict.fromkeys(kinds, 0)
        for cut in cuts(space.lattice):
            if cut.kind in counts:
                blocks = space.lattice[0] * space.lattice[1] // (cut.part[0] * cut.part[1] * cut.n)
                counts[cut.kind] += blocks
        self.batch = batch
        self.rows = tuple(tuple(map(int, row)) for row in sums.rows)
        self.group = space.group
        self.weight = Weight(beta, float(np.log(character_coefficients(n, beta)[0][-1])))
        levels = {kind: _level(sums, kind, float(count)) for kind, count in counts.items()}
        self.weight, self.levels = jax.tree.map(jnp.asarray, (self.weight, levels))
        self.minus_log_z = jnp.asarray(-log_partition)

    def __call__(self, flow: MatrixMultiscale, key: Key[Array, ""], step: Int[Array, ""]) -> Scalar:
        if not self.levels:
            return self.minus_log_z
        splits = stacked([flow.splits[kind] for kind in self.levels])
        keys = jax.random.split(key, len(self.levels))
        levels = stacked(list(self.levels.values()))
        divergences = eqx.filter_vmap(lambda *of: self._divergence(*of))(splits, levels, keys)
        return jnp.sum(divergences) + self.minus_log_z

    def log_weights(
        self, split: MatrixSplit, level: MatrixLevel, key: Key[Array, ""]
    ) -> Float[Array, " batch"]:
        """log p(W_a | W) / q(W_a | W) of draws of a split."""
        group, dtype = self.group, self.group.dtype(split.network.biases[0].dtype)
        rows = np.asarray(self.rows)
        part_key, block_key, choice_key = jax.random.split(key, 3)
        candidates = group.random(block_key, (_CANDIDATES * self.batch,), dtype)
        log_p = level.whole.log(rows, self.weight, candidates)
        chosen = jax.random.categorical(choice_key, log_p, shape=(self.batch,))
        block, log_p = candidates[chosen], log_p[chosen]
        part, log_det = jax.vmap(split.forward)(group.random(part_key, (self.batch,), dtype), block)
        rest = group.multiply(group.adjoint(part), block)
        log_target = level.part.log(rows, self.weight, part)
        return log_det + log_target + level.rest.log(rows, self.weight, rest) - log_p

    def _divergence(self, split: MatrixSplit, level: MatrixLevel, key: Key[Array, ""]) -> Scalar:
        log_w = self.log_weights(split, level, key)
        bound = float(np.log(2))
        near = jnp.exp(jnp.minimum(log_w, bound)) - 1 - log_w
        return level.count * jnp.mean(near + 2 * jnp.maximum(log_w - bound, 0))


def _level(sums: Irreps, kind: tuple[int, int], count: float) -> MatrixLevel:
    m, n = kind

    def density(plaquettes: int) -> BlockDensity:
        return BlockDensity(sums.coefficients(plaquettes), plaquettes == 1)

    return MatrixLevel(count, density(m), density(n * m - m), density(n * m))
