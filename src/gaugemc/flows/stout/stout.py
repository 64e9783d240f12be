"""The masked stout flow: smearing, one subset of links at a time, with its exact Jacobian.

Stout smearing (hep-lat/0311018) moves all links at once, and its Jacobian is a matrix of the whole
lattice (0907.5491). Here the links of one direction on the sites of one colour move, and all others
are frozen. No loop has two of the moving links. So each moving link has a Jacobian of its own.
"""

from __future__ import annotations

import dataclasses
import functools

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Int

from gaugemc.arrays import Field, Scalar
from gaugemc.flows.flow import Flow
from gaugemc.flows.stout.coefficients import Coefficients, bounded, staples_of_kinds
from gaugemc.flows.stout.link import log_det, slope, stout, unstout
from gaugemc.flows.stout.network import CoefficientNetwork
from gaugemc.lattice import of_colour, with_colour
from gaugemc.spaces import Links, total


class Stout(Flow):
    """Moves the links of one direction on the sites of one colour, for any group.

    Each moving link is multiplied by exp(A), A = -sum_k rho_k TA(loop_k) over the loops through the
    link: its 2 (d - 1) plaquettes, or also its rectangles and chairs. One coefficient belongs to
    each kind of loop in each plane. `bounded` makes the coefficients of trained weights, with
    sum_k |rho_k| < contraction < 1: the map is a bijection. A network adds to the weights of each
    link what it reads from frozen loops.

    The flow commutes with gauge transformations, and with translations that keep colours.
    """

    space: Links = eqx.field(static=True)
    direction: int
    colour: Int[Array, "*layer"]
    weights: Coefficients
    contraction: float
    network: CoefficientNetwork | None = None

    def __check_init__(self) -> None:
        lattice, period = self.space.lattice, self.period
        odd = [extent for extent in lattice if extent % period]
        if odd:
            below = odd[0] // period * period
            nearest = [extent for extent in (below, below + period) if extent]
            moves, wanted = "the links of one parity", "even extents"
            if self.has_rectangles:
                moves, wanted = "every fourth link", "extents that are multiples of 4"
            kind = "stout layers with rectangles" if self.has_rectangles else "stout layers"
            raise ValueError(
                f"lattice {list(lattice)}: {kind} move {moves} and need {wanted};"
                f" nearest to {odd[0]}: {nearest}"
            )

    @property
    def has_rectangles(self) -> bool:
        """Whether rectangles and chairs move links too."""
        return self.weights.shape[-2] > 1

    @property
    def period(self) -> int:
        """The number of colours."""
        return 4 if self.has_rectangles else 2

    @property
    def rho(self) -> Coefficients:
        """The coefficients of the loops, without what a network adds."""
        return bounded(self.weights, self.contraction)

    def rho_of_links(self, x: Field) -> Coefficients:
        """The coefficients of the loops of each link that moves, at every site, or of all links."""
        if self.network is None:
            return self.rho
        added = self.network(self.space.group, x, *self._subset[1:])
        weights = self.weights + added.reshape(*added.shape[:-1], *self.weights.shape)
        return bounded(weights, self.contraction)

    def on(self, lattice: tuple[int, ...]) -> Stout:
        """The same layer: its parameters know no lattice."""
        return dataclasses.replace(self, space=dataclasses.replace(self.space, lattice=lattice))

    def forward(self, z: Field) -> tuple[Field, Scalar]:
        u, staples = self._moving(z)
        return self._moved(z, stout(self.space.group, u, staples)), self._log_det(u, staples)

    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        moved, staples = self._moving(x)
        u = unstout(self.space.group, self.contraction, moved, staples)
        return self._moved(x, u), -self._log_det(u, staples)

    def _moving(self, x: Field) -> tuple[Field, Field]:
        """The links that move, and the weighted sums of their staples, which are frozen."""
        self.space.check_shape(x)
        group, rho = self.space.group, self.rho_of_links(x).astype(x.real.dtype)
        one = jnp.ones((), rho.dtype)
        kinds = staples_of_kinds(group, x, self.direction, self.has_rectangles)
        terms = [
            group.sum_staples(staples, one) * group.expanded(rho[..., kind, plane])
            for kind, planes in enumerate(kinds)
            for plane, staples in enumerate(planes)
        ]
        weighted = functools.reduce(jnp.add, terms)
        u, a = (of_colour(field, *self._subset) for field in (x[self.direction], weighted))
        return u, a

    def _moved(self, x: Field, u: Field) -> Field:
        """The field with other links in place of those that move."""
        links = with_colour(x[self.direction], *self._subset, self.space.group.project(u))
        return x.at[self.direction].set(links)

    @property
    def _subset(self) -> tuple[tuple[int, ...], int, int, Int[Array, ""]]:
        """What tells the sites whose links move."""
        return self.space.lattice, self.direction, self.period, self.colour

    def _log_det(self, u: Field, staples: Field) -> Scalar:
        return total(log_det(slope(self.space.group, u, staples)))
