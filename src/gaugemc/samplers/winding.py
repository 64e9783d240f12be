"""Instanton updates of two-dimensional U(1): proposals that change the topological charge."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from gaugemc.arrays import Field
from gaugemc.lattice import links_from_plaquettes
from gaugemc.samplers.metropolis import metropolis
from gaugemc.samplers.sampler import Info, Sampler, stuck
from gaugemc.spaces import is_u1_2d
from gaugemc.theories import Theory


class WindingState(NamedTuple):
    """A chain: its configuration, with the action there."""

    x: Field
    action: Float[Array, ""]


class Winding(Sampler):
    """Propose x + A or x - A, A an instanton of charge 1; accept with min(1, exp(-dS)).

    The classical rival of learned topology-changing moves in two-dimensional U(1), after the
    winding updates of 2106.14234. A is the smoothest field of charge 1: its plaquette angles are
    2 pi / V all over the torus, modulo 2 pi. The proposal is a translation of the group and as
    probable as its reverse, so the step is exact. Raising |Q| costs an action of about
    2 pi^2 beta (2 |Q| + 1) / V. An instanton on a smaller block always costs more, because its flux
    of 2 pi is spread over fewer plaquettes.

    `Winding` alone is not ergodic: its chains stay on the line x + n A. Use it together with
    another sampler, as in `Compose((HMC(theory, ...), Winding(theory)))`.
    """

    theory: Theory

    def __check_init__(self) -> None:
        if not is_u1_2d(self.theory.space):
            raise ValueError(f"winding: needs 2D U(1), not {self.theory.name}")

    @property
    def instanton(self) -> Float[Array, "2 L0 L1"]:
        """Links of charge 1 with the same plaquette angle everywhere, modulo 2 pi."""
        space = self.theory.space
        lattice = space.field_shape[1:]
        flux = 2 * np.pi / float(np.prod(lattice))
        links = links_from_plaquettes(jnp.full(lattice, flux, jnp.float64))
        return space.project(links).astype(space.real_dtype)

    def init(self, key: Key[Array, ""], hot: bool | Bool[Array, ""] = True) -> WindingState:
        return self.state(self.start(key, hot))

    def faults(self, key: Key[Array, ""], state: WindingState) -> dict[str, Bool[Array, ""]]:
        return stuck(self.theory, state.action)

    def state(self, x: Field) -> WindingState:
        """The state of a chain that continues from the configuration x."""
        self.theory.space.check(x)
        return WindingState(x, self.theory.action(x))

    def propose(self, x: Field, sign: Float[Array, ""]) -> Field:
        """x with an instanton (sign 1) or an anti-instanton (sign -1) added."""
        return self.theory.space.move(x, self.instanton, sign)

    def step(self, key: Key[Array, ""], state: WindingState) -> tuple[WindingState, Info]:
        sign_key, accept_key = jax.random.split(key)
        sign = jax.random.rademacher(sign_key, (), jnp.float64)
        x = self.theory.space.project(self.propose(state.x, sign))
        proposal = WindingState(x, self.theory.action(x))
        return metropolis(accept_key, state, proposal, proposal.action - state.action)
