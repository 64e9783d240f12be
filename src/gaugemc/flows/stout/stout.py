"""The masked stout flow: smearing, one subset of links at a time, with its exact Jacobian.

Stout smearing (hep-lat/0311018) moves all links at once, and its Jacobian is a matrix of the whole
lattice (0907.5491). Here the links of one direction on the sites of one parity move, and all others
are frozen. No plaquette has two of the moving links. So each moving link has a Jacobian of its own.
"""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from gaugemc.arrays import Field, Scalar
from gaugemc.flows.flow import Flow
from gaugemc.flows.stout.link import log_det, slope, stout, unstout
from gaugemc.lattice import of_parity, plaquette_staples, with_parity
from gaugemc.spaces import Links, total


class Stout(Flow):
    """Moves the links of one direction on the sites of one parity, for any group.

    Each moving link is multiplied by exp(A), A = -sum_k rho_k TA(plaquette_k) over its 2 (d - 1)
    plaquettes. One coefficient belongs to each plane: rho = s tanh(w / s), with trained weights w
    and s = contraction / (2 (d - 1)). So sum_k |rho_k| < contraction < 1: the map is a bijection.

    The flow commutes with gauge transformations, and with translations by an even number of sites.
    """

    space: Links = eqx.field(static=True)
    direction: int
    parity: Int[Array, "*layer"]
    weights: Float[Array, "*layer plane"]
    contraction: float

    def __check_init__(self) -> None:
        odd = [extent for extent in self.space.lattice if extent % 2]
        if odd:
            raise ValueError(
                f"lattice {list(self.space.lattice)}: stout layers move the links of one parity and"
                f" need even extents; nearest to {odd[0]}: {[odd[0] - 1, odd[0] + 1]}"
            )

    @property
    def rho(self) -> Float[Array, "... plane"]:
        """The coefficient of the plaquettes of each plane of the direction."""
        share = self.contraction / (2 * self.weights.shape[-1])
        return share * jnp.tanh(self.weights / share)

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
        group, lattice = self.space.group, self.space.lattice
        staples = plaquette_staples(group, x, self.direction)
        rho = self.rho.astype(x.real.dtype)
        weighted = sum(
            group.sum_staples(staples[2 * plane : 2 * plane + 2], rho[plane])
            for plane in range(len(lattice) - 1)
        )
        fields = (x[self.direction], jnp.asarray(weighted))
        u, a = (of_parity(field, lattice, self.parity) for field in fields)
        return u, a

    def _moved(self, x: Field, u: Field) -> Field:
        """The field with other links in place of those that move."""
        group, lattice = self.space.group, self.space.lattice
        links = with_parity(x[self.direction], lattice, self.parity, group.project(u))
        return x.at[self.direction].set(links)

    def _log_det(self, u: Field, staples: Field) -> Scalar:
        return total(log_det(slope(self.space.group, u, staples)))
