"""Multiscale flow of two-dimensional SU(2) and SU(3): loops of blocks split from coarse to fine.

A block with the loop W is cut in two parts. Their loops, led to one corner, are W_a and W_b with
W = W_a W_b. With T the way from the corner to the cut, the first link U of the cut moves to
T^-1 g T U. Then W_a becomes g W_a, and W and all links around the block stay. So each cut is one
map of W_a, given W (`MatrixSplit`). Each link moves once at most. If links are uniform, so is W_a,
given all else. Blocks with equal numbers of plaquettes share their map.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from gaugemc.arrays import Field, Scalar
from gaugemc.exact.sun import irreps
from gaugemc.flows.flow import Flow
from gaugemc.flows.multiscale.matrix_split import MatrixSplit
from gaugemc.flows.multiscale.multiscale import Kind, divisions, split_kinds
from gaugemc.groups import SUN
from gaugemc.kernels import apart, together
from gaugemc.lattice import block_links, plane_plaquettes, wilson_loops, with_corners
from gaugemc.spaces import Links, total
from gaugemc.theories import Theory

SMALLEST_COUPLING = 1e-6
"""Blocks whose density has less variance than that are left uniform: it costs D_KL half of that."""


class Cut(NamedTuple):
    """All blocks of a level are cut between their parts `index` and `index` + 1."""

    axis: int
    n: int
    """Parts of a block."""
    part: tuple[int, int]
    """Extents of each."""
    index: int
    kind: Kind


def cuts(lattice: tuple[int, ...]) -> Iterator[Cut]:
    """The cuts of a lattice, coarse to fine."""
    part = [lattice[0], lattice[1]]
    for division in divisions(lattice):
        part[division.axis] //= division.n
        for index, kind in enumerate(division.kinds):
            yield Cut(division.axis, division.n, (part[0], part[1]), index, kind)


class MatrixMultiscale(Flow):
    """The loops of blocks, split from coarse to fine; blocks without a `MatrixSplit` stay uniform.

    The flow commutes with gauge transformations and with charge conjugation.
    """

    space: Links = eqx.field(static=True)
    splits: dict[Kind, MatrixSplit]

    def forward(self, z: Field) -> tuple[Field, Scalar]:
        return self._transformed(z, inverse=False)

    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        return self._transformed(x, inverse=True)

    def on(self, lattice: tuple[int, ...]) -> MatrixMultiscale:
        """The flow on another lattice: the same splits; larger blocks stay uniform.

        All are kept, so that the flow can go back. Large blocks are at strong coupling, where
        uniform is right.
        """
        return dataclasses.replace(self, space=dataclasses.replace(self.space, lattice=lattice))

    @eqx.filter_jit  # one trace for all programs
    def _transformed(self, links: Field, inverse: bool) -> tuple[Field, Scalar]:
        self.space.check_shape(links)
        log_det = jnp.zeros((), jnp.float64)
        order = [cut for cut in cuts(self.space.lattice) if cut.kind in self.splits]
        for cut in reversed(order) if inverse else order:
            split = self.splits[cut.kind]
            links, log_dets = _cut(links, cut, split, inverse)
            log_det = log_det + total(log_dets)
        return links, log_det


def _cut(links: Field, cut: Cut, split: MatrixSplit, inverse: bool) -> tuple[Field, Field]:
    """The links with all blocks of a cut split anew, and the log-det of each."""
    group, across = split.group, 1 - cut.axis
    coarse = block_links(group, links, cut.part)
    wide = wilson_loops(group, coarse, cut.axis, across, cut.n - cut.index, 1)
    narrow = plane_plaquettes(group, coarse, cut.axis, across)
    block, part, way = (
        apart(field, cut.axis, cut.n)[cut.index] for field in (wide, narrow, coarse[cut.axis])
    )
    one = split.inverse if inverse else split.forward
    flat = (-1, *group.link_shape)
    moved, log_dets = jax.vmap(one)(part.reshape(flat), block.reshape(flat))
    g = group.multiply(moved.reshape(part.shape), group.adjoint(part))
    turn = group.multiply(group.adjoint(way), group.multiply(g, way))
    corners = links[across, :: cut.part[0], :: cut.part[1]]
    lines = list(apart(corners, cut.axis, cut.n))
    lines[cut.index + 1] = group.multiply(turn, lines[cut.index + 1])
    corners = together(lines, cut.axis)
    return links.at[across].set(with_corners(links[across], cut.part, corners)), log_dets


def split_kinds_of(theory: Theory) -> tuple[Links, list[Kind]]:
    """The links of a theory, and the kinds of split that are not left uniform.

    Raises:
        ValueError: the theory is not 2D SU(2) or SU(3) with Wilson's action.
    """
    match theory.wilson_beta, theory.space:
        case beta, Links(group=SUN(n=2 | 3 as n), lattice=(_, _)) as space if beta is not None:
            every = irreps(n, float(beta), 1)
            kinds = split_kinds(space.lattice)
            return space, [kind for kind in kinds if every.coupling(kind[0]) > SMALLEST_COUPLING]
    raise ValueError(f"flow: needs 2D U(1), SU(2) or SU(3) with Wilson's action, not {theory.name}")


def matrix_multiscale(key: Key[Array, ""], theory: Theory, *, stages: int = 8) -> MatrixMultiscale:
    """The multiscale flow for 2D SU(2) or SU(3) with Wilson's action, before training.

    Args:
        key: for the first weights of the networks.
        theory: its links and its beta say which blocks are split and which are left uniform.
        stages: of each split.

    Raises:
        ValueError: the theory is another, or stages is not positive.
    """
    if stages < 1:
        raise ValueError(f"stages {stages}: must be positive")
    space, kinds = split_kinds_of(theory)
    assert isinstance(space.group, SUN)
    keys = jax.random.split(key, max(len(kinds), 1))
    splits = {
        kind: MatrixSplit(k, space.group, stages, space.real_dtype) for kind, k in zip(kinds, keys)
    }
    return MatrixMultiscale(space, splits)
