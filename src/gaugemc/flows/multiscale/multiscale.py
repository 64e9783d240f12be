"""Multiscale flow of two-dimensional U(1): the flux of the torus split from coarse to fine.

Plaquette angles of two-dimensional gauge theory depend on each other only through their sum. So a
configuration can be drawn from the coarsest block to the finest. The torus has flux 0. Each block
splits its flux between two parts, down to single plaquettes. Each split is one conditional map of
the circle (`Split`). Blocks with equal numbers of plaquettes share their map.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.arrays import Scalar
from gaugemc.flows.circle.circle import Angle
from gaugemc.flows.flow import Flow
from gaugemc.flows.multiscale.split import AnySplit, SeriesSplit, identity_split
from gaugemc.flows.multiscale.split_table import SplitTable
from gaugemc.groups import U1
from gaugemc.kernels import apart, together, wrap
from gaugemc.kernels.branch import alone
from gaugemc.lattice import links_from_plaquettes, plane_plaquettes
from gaugemc.spaces import Links, is_u1_2d, total

Field = Float[Array, "2 x y"]
Kind = tuple[int, int]
"""(m, n): a split of m plaquettes off a block of n m plaquettes."""


class Division(NamedTuple):
    """A level of the tree: every block is divided along an axis into n parts of m plaquettes."""

    axis: int
    n: int
    m: int

    @property
    def kinds(self) -> list[Kind]:
        """One kind for each part but the last: m plaquettes off what remains of the block."""
        return [(self.m, remaining) for remaining in range(self.n, 1, -1)]

    def apart(self, flux: Angle) -> tuple[Angle, ...]:
        """The parts of every block."""
        return apart(flux, self.axis, self.n)

    def together(self, *parts: Angle) -> Angle:
        """The inverse of `apart`."""
        return together(parts, self.axis)

    def fluxes(self, flux: Angle) -> Angle:
        """The fluxes of the blocks, from the fluxes of their parts."""
        return wrap(functools.reduce(jnp.add, self.apart(flux)))


def divisions(lattice: tuple[int, ...]) -> list[Division]:
    """The tree of a lattice, coarse to fine.

    Odd factors of the extents come first, where blocks are large and nearly independent. Then each
    block is halved across its longer side. So lattices of 2^k sites share their levels.
    """
    odd = [extent // (extent & -extent) for extent in lattice]
    block = list(lattice)
    tree = []

    def divide(axis: int, n: int) -> None:
        block[axis] //= n
        tree.append(Division(axis, n, block[0] * block[1]))

    for axis in (0, 1):
        if odd[axis] > 1:
            divide(axis, odd[axis])
    while block != [1, 1]:
        divide(0 if block[0] >= block[1] else 1, 2)
    return tree


def split_kinds(lattice: tuple[int, ...]) -> list[Kind]:
    """The kinds of split of a lattice, coarse to fine, each once."""
    return list(dict.fromkeys(kind for division in divisions(lattice) for kind in division.kinds))


class Multiscale(Flow):
    """Plaquettes split from coarse to fine; links follow on a spanning tree.

    If links are uniform, the fluxes of blocks are uniform at each split. The map replaces the flux
    a of a part of each block by A = T(a | F), where F is the new flux of the block and T the map of
    its `Split`. The new plaquettes minus the old ones are the plaquettes of a field on a spanning
    tree, and the links move by this field. So the map commutes with gauge transformations, and its
    log-det is the sum of log T'.
    """

    space: Links = eqx.field(static=True)
    splits: dict[Kind, AnySplit]

    def forward(self, z: Field) -> tuple[Field, Scalar]:
        return self.fixed().forward(z)

    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        return self.fixed().inverse(x)

    def on(self, lattice: tuple[int, ...]) -> Multiscale:
        """The flow on another lattice: the splits that it has, and the identity for all others.

        The others are splits of larger blocks, unless the extents have other odd factors. The
        identity is right at strong coupling, and large blocks are always at strong coupling. A
        `SeriesSplit` of the whole torus stays behind: what draws taught it is flux 0 alone, and a
        block of a larger lattice has any flux.
        """
        space = dataclasses.replace(self.space, lattice=lattice)
        identity: AnySplit = jax.tree.map(jnp.zeros_like, next(iter(self.splits.values())))
        kinds, whole = split_kinds(lattice), split_kinds(self.space.lattice)[0]
        known = dict(self.splits)
        if isinstance(identity, SeriesSplit) and whole != kinds[0]:
            del known[whole]
        return Multiscale(space, {kind: known.get(kind, identity) for kind in kinds})

    def fixed(self) -> FixedMultiscale:
        compiled = "spline" in self.space.kernels
        tables = {kind: split.table(compiled) for kind, split in self.splits.items()}
        return FixedMultiscale(self.space, tables)


class FixedMultiscale(Flow):
    """What evaluates a `Multiscale` flow: the tables of its splits."""

    space: Links = eqx.field(static=True)
    tables: dict[Kind, SplitTable]

    def forward(self, z: Field) -> tuple[Field, Scalar]:
        return self._transformed(z, inverse=False)

    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        return self._transformed(x, inverse=True)

    @eqx.filter_jit  # one trace for all programs
    def _transformed(self, links: Field, inverse: bool) -> tuple[Field, Scalar]:
        """The map or its inverse, with the log-det."""
        self.space.check_shape(links)
        old = plane_plaquettes(U1(), links, 0, 1)
        tree = divisions(old.shape)
        levels = [wrap(old)]
        for division in tree[:0:-1]:  # alone: XLA would make each level anew from the finest
            levels.append(alone(division.fluxes, levels[-1]))
        flux = change = jnp.zeros((1, 1), links.dtype)
        log_det = jnp.zeros((), jnp.float64)
        for division, level in zip(tree, levels[::-1]):
            new = []
            for kind, part in zip(division.kinds, alone(division.apart, level)):
                split = self.tables[kind]
                if inverse:  # maps are conditioned on the flux in x
                    moved, log_slope = split.inverse(part, flux)
                    log_det = log_det - total(log_slope)
                else:
                    moved, log_slope = split.forward(part, flux + change)
                    log_det = log_det + total(log_slope)
                part_change = moved - part
                new.append(part_change)
                flux, change = wrap(flux - part), change - part_change
            flux, change = level, alone(division.together, *new, change)
        return _moved(links, change), log_det


def multiscale_flow(space: Links) -> Multiscale:
    """The multiscale flow for a space, nearly the identity; its start needs no random numbers.

    Raises:
        ValueError: the space is not 2D U(1).
    """
    if not is_u1_2d(space):
        raise ValueError(f"flow: needs 2D U(1) links, not {space.name}")
    identity = identity_split(space.real_dtype)
    return Multiscale(space, {kind: identity for kind in split_kinds(space.lattice)})


def _moved(links: Field, change: Angle) -> Field:
    """The links, moved so that their plaquettes change by `change`."""
    return wrap((links + links_from_plaquettes(change)).astype(links.dtype))
