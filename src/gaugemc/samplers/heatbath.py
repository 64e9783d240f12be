"""The local heatbath with overrelaxation, for actions of plaquettes and rectangles."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key

from gaugemc.arrays import Field
from gaugemc.kernels import native
from gaugemc.lattice import colour_sites, staple_sum
from gaugemc.samplers.sampler import Info, Sampler, always_accepted
from gaugemc.spaces import Links
from gaugemc.theories import Theory

Update = Callable[[Key[Array, ""], Field, Field], Field]


class HeatbathState(NamedTuple):
    """A chain: its configuration."""

    x: Field


class Heatbath(Sampler):
    """One heatbath sweep and `overrelaxation` overrelaxation sweeps a draw (Creutz 1980, 1987).

    A sweep goes through the directions and, within a direction, through the colours of
    `colour_sites`. Links of one colour share no loop of the action. These links are updated at
    once, by a kernel that keeps their exact conditional density: `Group.draw_link`, or
    `Group.reflect_link`. Nothing is ever rejected.
    """

    theory: Theory
    overrelaxation: int = 0

    def __check_init__(self) -> None:
        if not isinstance(self.theory, Theory):
            raise ValueError(f"heatbath: needs a theory, not {type(self.theory).__name__}")
        space = self.theory.space
        if not self.theory.loop_couplings or not isinstance(space, Links):
            raise ValueError(
                "heatbath: needs an action of plaquettes and rectangles, not that of"
                f" {self.theory.name}; choose sampler=hmc"
            )
        if not space.group.has_heatbath:
            raise ValueError(f"heatbath: not available for {space.group.name}; choose sampler=hmc")
        _ = self._colours  # raises where there are too many
        if not isinstance(self.overrelaxation, int | np.integer) or self.overrelaxation < 0:
            raise ValueError(
                f"overrelaxation {self.overrelaxation!r}: must be a whole number, at least 0"
            )

    @property
    def space(self) -> Links:
        """The links of the theory."""
        assert isinstance(self.theory.space, Links)
        return self.theory.space

    @property
    def has_rectangles(self) -> bool:
        """Whether the action has rectangles."""
        return len(self.theory.loop_couplings) > 1

    def init(self, key: Key[Array, ""], hot: bool | Bool[Array, ""] = True) -> HeatbathState:
        return self.state(self.start(key, hot))

    def state(self, x: Field) -> HeatbathState:
        """The state of a chain that continues from the configuration x."""
        self.space.check(x)
        return HeatbathState(x)

    def step(self, key: Key[Array, ""], state: HeatbathState) -> tuple[HeatbathState, Info]:
        known = "local_updates" in self.space.kernels and native.knows_generator(key)
        x = self._compiled(key, state.x) if known else self.sweeps(key, state.x)
        return HeatbathState(x), always_accepted()

    def _compiled(self, key: Key[Array, ""], x: Field) -> Field:
        couplings, keys = self.theory.loop_couplings, jnp.concatenate(self._colour_keys(key))
        return native.local_updates(x, couplings, keys, self._colours, self.overrelaxation)

    def sweeps(self, key: Key[Array, ""], x: Field) -> Field:
        """All sweeps of a draw in operations of JAX: the twin of the compiled kernel."""
        x = self.heatbath_sweep(key, x)
        x = jax.lax.fori_loop(0, self.overrelaxation, lambda _, x: self.overrelaxation_sweep(x), x)
        return self.space.project(x)

    def heatbath_sweep(self, key: Key[Array, ""], x: Field) -> Field:
        """Draw every link once from its density given all others."""
        return self._sweep(key, x, self.space.group.draw_link)

    def overrelaxation_sweep(self, x: Field) -> Field:
        """Reflect every link once, which moves it far at constant action."""
        reflect = self.space.group.reflect_link
        return self._sweep(jax.random.key(0), x, lambda _, *link: reflect(*link))

    @property
    def _colours(self) -> list[Int[np.ndarray, "_ _"]]:
        """The sites of each colour, for every direction."""
        lattice = self.space.lattice
        return [colour_sites(lattice, mu, self.has_rectangles) for mu in range(len(lattice))]

    def _colour_keys(self, key: Key[Array, ""]) -> list[Key[Array, " _"]]:
        """A key for each colour, for every direction."""
        directions = jax.random.split(key, len(self._colours))
        return [jax.random.split(k, len(sites)) for k, sites in zip(directions, self._colours)]

    def _sweep(self, key: Key[Array, ""], x: Field, update: Update) -> Field:
        """Update every link once, given the sum of its staples."""
        links = list(x)
        for mu, (sites, keys) in enumerate(zip(self._colours, self._colour_keys(key))):

            def update_colour(
                at_mu: Field, colour: tuple[Array, Array, Key[Array, ""]], mu: int = mu
            ) -> tuple[Field, None]:
                sites, place, colour_key = colour
                staples = self._staples([*links[:mu], at_mu, *links[mu + 1 :]], mu)
                old, around = (self._flat(field)[sites] for field in (at_mu, staples))
                new = update(colour_key, old, around)[place]
                here = self.space.group.expanded(place >= 0)
                return jnp.where(here, new, self._flat(at_mu)).reshape(at_mu.shape), None

            colours = jnp.asarray(sites), jnp.asarray(places(sites)), keys
            links[mu] = jax.lax.scan(update_colour, links[mu], colours)[0]
        return jnp.stack(links)

    def _staples(self, links: list[Field], mu: int) -> Field:
        """The sum of the staples of all links of a direction, with their couplings."""
        return staple_sum(self.space.group, links, mu, self.theory.loop_couplings)

    def _flat(self, field: Field) -> Field:
        """A field with its lattice axes merged into one axis of sites."""
        return field.reshape(-1, *field.shape[len(self.space.lattice) :])


def places(colours: Int[np.ndarray, "colour place"]) -> Int[np.ndarray, "colour site"]:
    """The place of each site in its colour, -1 in all others.

    A selection by places does what indices of a colour could. Those are a loop over links on GPUs,
    where numbers are complex128.
    """
    result = np.full((len(colours), colours.size), -1)
    np.put_along_axis(result, colours, np.arange(colours.shape[1])[None], axis=1)
    return result
