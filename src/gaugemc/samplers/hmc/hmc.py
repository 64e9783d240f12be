"""Hamiltonian Monte Carlo on any theory; on a pulled-back theory it is field-transformation HMC."""

from __future__ import annotations

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, Key

from gaugemc.arrays import Field, Scalar, is_positive, known
from gaugemc.samplers.hmc.integrator import (
    LEAPFROG,
    Integrator,
    PhasePoint,
    checked_n_steps,
    checked_step_size,
    integrator_of,
    trajectory,
)
from gaugemc.samplers.metropolis import metropolis
from gaugemc.samplers.sampler import Info, Sampler, stuck
from gaugemc.theories import Theory


class HMCState(NamedTuple):
    """A chain: its configuration, with the action and the force there."""

    x: Field
    action: Float[Array, ""]
    force: Field


def checked_force_scale(scale: ArrayLike | None) -> Float[Array, ""] | None:
    """The scale as an array, None where it is infinite; ValueError unless it is positive."""
    if scale is None or (known(scale) and scale == math.inf):
        return None
    if known(scale) and not is_positive(scale):
        raise ValueError(f"force_scale {scale}: must be positive")
    return jnp.asarray(scale, jnp.float64)


class HMC(Sampler):
    """Hybrid Monte Carlo (Duane et al. 1987): trajectories of n_steps * step_size, then Metropolis.

    `HMC(theory.pullback(flow), ...)` is field-transformation HMC (0907.5491, 2112.01586).
    Step size, number of steps and force scale are data: changing them does not compile anew. The
    integrator may be given by its name.

    `force_scale` damps large forces: momenta change by F / (1 + |F|^2 / force_scale^2), where F is
    the force on one component of R^n or on one link, and |F| its norm in the momentum's metric,
    which gauge transformations leave as it is. The kernel stays exact: with any function of x as
    its force a trajectory is reversible and keeps volume, and the true action decides on
    acceptance. The damping is for steep flows. What a good flow leaves of the force there are rare
    spikes, narrower than any step, and a trajectory that follows a spike is rejected. None, or
    infinity, damps nothing.
    """

    theory: Theory
    step_size: Float[Array, ""] = eqx.field(converter=checked_step_size)
    n_steps: Int[Array, ""] = eqx.field(converter=checked_n_steps)
    integrator: Integrator = eqx.field(converter=integrator_of, default=LEAPFROG)
    force_scale: Float[Array, ""] | None = eqx.field(converter=checked_force_scale, default=None)

    def __check_init__(self) -> None:
        if not isinstance(self.theory, Theory):
            raise ValueError(f"HMC: needs a theory, not {type(self.theory).__name__}")

    def with_steps(self, step_size: Scalar | float, n_steps: Int[Array, ""] | int) -> HMC:
        """The same sampler with another trajectory."""
        return HMC(self.theory, step_size, n_steps, self.integrator, self.force_scale)

    def force(self, x: Field) -> Field:
        """The force that momenta follow: the theory's force, damped where the force is large."""
        force = self.theory.force(x)
        if self.force_scale is None:
            return force
        space = self.theory.space
        rate = 1 / (self.force_scale**2).astype(space.real_dtype)
        return force / (1 + space.square(force) * rate)

    def init(self, key: Key[Array, ""], hot: bool | Bool[Array, ""] = True) -> HMCState:
        return self.state(self.start(key, hot))

    def faults(self, key: Key[Array, ""], state: HMCState) -> dict[str, Bool[Array, ""]]:
        return stuck(self.theory, state.action)

    @property
    def forces_of_state(self) -> int:
        return 1

    def state(self, x: Field) -> HMCState:
        """The state of a chain that continues from the variable x."""
        self.theory.space.check(x)
        return HMCState(x, self.theory.action(x), self.force(x))

    def trajectory(self, start: PhasePoint, n_steps: int | None = None) -> PhasePoint:
        """The map of phase space that makes proposals.

        Its reverse derivative needs the number of steps once more, as an int.
        """
        couplings = self.theory.compiled_couplings if self.force_scale is None else ()
        steps = self.step_size, self.n_steps if n_steps is None else n_steps, couplings
        return trajectory(self.integrator, self.theory.space, self.force, start, *steps)

    def there_and_back(self, x: Field, v: Field) -> Field:
        """The end of a trajectory and of another with the momentum flipped: x but for rounding."""

        def leg(_: Int[Array, ""], start: PhasePoint) -> PhasePoint:
            end = self.trajectory(start)
            return end._replace(v=-end.v)

        # One loop over both, so that the trajectory is compiled once.
        return jax.lax.fori_loop(0, 2, leg, PhasePoint(x, v, self.force(x))).x

    def step(self, key: Key[Array, ""], state: HMCState) -> tuple[HMCState, Info]:
        momentum_key, accept_key = jax.random.split(key)
        v = self.theory.space.random_momentum(momentum_key)
        proposal, delta_h = self.propose(state, v)
        state, info = metropolis(accept_key, state, proposal, delta_h)
        return state, info._replace(
            force_evaluations=self.n_steps * self.integrator.forces_per_step
        )

    def propose(
        self, state: HMCState, v: Field, n_steps: int | None = None
    ) -> tuple[HMCState, Scalar]:
        """The proposal from a momentum, and the energy error; `n_steps` as of `trajectory`."""
        space = self.theory.space
        end = self.trajectory(PhasePoint(state.x, v, state.force), n_steps)
        x = space.project(end.x)
        proposal = HMCState(x, self.theory.action(x), end.force)
        delta_h = (
            (proposal.action - state.action) + space.kinetic_energy(end.v) - space.kinetic_energy(v)
        )
        return proposal, delta_h
