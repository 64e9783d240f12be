"""The local heatbath with overrelaxation, for Wilson's action."""

import operator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Key, Shaped

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.lattice import shift
from gaugemc.samplers.sampler import Info, Sampler, always_accepted
from gaugemc.spaces import Links
from gaugemc.theories import Theory


class HeatbathState(NamedTuple):
    """A chain: its configuration."""

    x: Field


class Heatbath(Sampler):
    """One heatbath sweep and `overrelaxation` overrelaxation sweeps a draw (Creutz 1980, 1987).

    A sweep goes through the directions and, within a direction, through even and odd sites. Links
    of one direction on sites of one parity share no plaquette, as long as all extents are even.
    These links are drawn at once from their exact conditional density. Nothing is ever rejected.
    """

    theory: Theory
    overrelaxation: int = 0

    def __check_init__(self) -> None:
        space = self.theory.space
        if self.theory.wilson_beta is None or not isinstance(space, Links):
            raise ValueError(
                f"heatbath: needs Wilson's action, not that of {self.theory.name};"
                " choose sampler=hmc"
            )
        if not space.group.has_heatbath:
            raise ValueError(f"heatbath: not available for {space.group.name}; choose sampler=hmc")
        if any(length % 2 for length in space.lattice):
            raise ValueError(f"heatbath: lattice {list(space.lattice)} must have even extents")
        if operator.index(self.overrelaxation) < 0:
            raise ValueError(f"overrelaxation {self.overrelaxation}: must not be negative")

    @property
    def space(self) -> Links:
        """The links of the theory."""
        assert isinstance(self.theory.space, Links)
        return self.theory.space

    def init(self, key: Key[Array, ""], hot: bool | Bool[Array, ""] = True) -> HeatbathState:
        return self.state(self.start(key, hot))

    def state(self, x: Field) -> HeatbathState:
        """The state of a chain that continues from the configuration x."""
        self.space.check(x)
        return HeatbathState(x)

    def step(self, key: Key[Array, ""], state: HeatbathState) -> tuple[HeatbathState, Info]:
        x = self.heatbath_sweep(key, state.x)
        x = jax.lax.fori_loop(0, self.overrelaxation, lambda _, x: self.overrelaxation_sweep(x), x)
        return HeatbathState(x), always_accepted()

    def heatbath_sweep(self, key: Key[Array, ""], x: Field) -> Field:
        """Draw every link once from its density given all others."""
        space = self.space
        beta = jnp.asarray(self.theory.wilson_beta, space.real)
        subsets = checkerboard(space.lattice)
        for (mu, sites), subset_key in zip(subsets, jax.random.split(key, len(subsets))):
            neighbours = self._staples(x, mu, sites)
            x = self._set(x, mu, sites, space.group.draw_link(subset_key, neighbours, beta))
        return x

    def overrelaxation_sweep(self, x: Field) -> Field:
        """Reflect every link once, which moves it far at constant action."""
        group = self.space.group
        for mu, sites in checkerboard(self.space.lattice):
            old = self._flat(x[mu])[sites]
            x = self._set(x, mu, sites, group.reflect_link(old, self._staples(x, mu, sites)))
        return x

    def _flat(self, field: Field) -> Field:
        """A field with its lattice axes merged into one axis of sites."""
        return field.reshape(-1, *self.space.group.link_shape)

    def _staples(self, x: Field, mu: int, sites: np.ndarray) -> Field:
        terms = staples(self.space.group, x, mu)
        return jnp.stack([self._flat(term)[sites] for term in terms])

    def _set(self, x: Field, mu: int, sites: np.ndarray, links: Field) -> Field:
        updated = self._flat(x[mu]).at[sites].set(links)
        return x.at[mu].set(updated.reshape(x[mu].shape))


def checkerboard(lattice: tuple[int, ...]) -> list[tuple[int, np.ndarray]]:
    """(direction, flat indices of the even or odd sites), in the order in which a sweep goes."""
    parity = np.indices(lattice).sum(axis=0).ravel() % 2
    return [
        (mu, np.flatnonzero(parity == colour)) for mu in range(len(lattice)) for colour in (0, 1)
    ]


def staples(group: Group, x: Shaped[Array, "d ..."], mu: int) -> list[Field]:
    """Fields A_i such that trace(U_mu A_i) are the plaquettes that contain the links U_mu."""
    result: list[Field] = []
    for nu in range(len(x)):
        if nu == mu:
            continue
        right = shift(x[nu], mu)
        around = group.multiply(x[nu], shift(x[mu], nu))
        result.append(group.multiply(right, group.adjoint(around)))
        back = group.multiply(x[mu], right)
        result.append(shift(group.multiply(group.adjoint(back), x[nu]), nu, -1))
    return result
