"""Hamiltonian Monte Carlo on any theory; on a pulled-back theory it is field-transformation HMC."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from gaugemc.samplers.integrator import LEAPFROG, Integrator, Phase, trajectory
from gaugemc.samplers.metropolis import metropolis
from gaugemc.samplers.sampler import Info, Sampler
from gaugemc.theories import Theory

Field = Shaped[Array, "..."]


class HMCState(NamedTuple):
    """A chain: its configuration, with the action and the force there."""

    x: Field
    action: Float[Array, ""]
    force: Field


class HMC(Sampler):
    """Hybrid Monte Carlo (Duane et al. 1987): trajectories of n_steps * step_size, then Metropolis.

    `HMC(theory.pullback(flow), ...)` is field-transformation HMC (0907.5491, 2112.01586).
    Step size and number of steps are data: changing them does not compile anew.
    """

    theory: Theory
    step_size: Float[Array, ""] = eqx.field(converter=lambda e: jnp.asarray(e, jnp.float64))
    n_steps: Int[Array, ""] = eqx.field(converter=lambda n: jnp.asarray(n, jnp.int32))
    integrator: Integrator = LEAPFROG

    def init(self, key: Key[Array, ""], hot: bool | Bool[Array, ""] = True) -> HMCState:
        return self.state(self.start(key, hot))

    def state(self, x: Field) -> HMCState:
        """The state of a chain that continues from the variable x."""
        return HMCState(x, self.theory.action(x), self.theory.force(x))

    def step(self, key: Key[Array, ""], state: HMCState) -> tuple[HMCState, Info]:
        momentum_key, accept_key = jax.random.split(key)
        space = self.theory.space
        v = space.random_momentum(momentum_key)
        end = trajectory(
            self.integrator,
            space,
            self.theory.force,
            Phase(state.x, v, state.force),
            self.step_size,
            self.n_steps,
        )
        x = space.project(end.x)
        proposal = HMCState(x, self.theory.action(x), end.force)
        delta_h = (
            (proposal.action - state.action) + space.kinetic_energy(end.v) - space.kinetic_energy(v)
        )
        state, info = metropolis(accept_key, state, proposal, delta_h)
        return state, info._replace(
            force_evaluations=self.n_steps * self.integrator.forces_per_step
        )
