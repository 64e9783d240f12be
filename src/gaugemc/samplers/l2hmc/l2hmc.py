"""L2HMC: Hamiltonian Monte Carlo with a trained, exactly inverted leapfrog (1711.09268)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from gaugemc.arrays import Field, Scalar
from gaugemc.samplers.hmc.hmc import HMCState
from gaugemc.samplers.hmc.integrator import PhasePoint
from gaugemc.samplers.l2hmc.generalised_leapfrog import GeneralisedLeapfrog
from gaugemc.samplers.metropolis import metropolis
from gaugemc.samplers.sampler import Info, Sampler, stuck
from gaugemc.theories import Theory

DIRECTIONS = ("palindrome", "random")


class Diagnosis(NamedTuple):
    """One trajectory, before its first and after each of its layers, in float64."""

    energy: Float[Array, " layer"]
    """H = S(x) + v^2 / 2."""
    log_det: Float[Array, " layer"]
    """Log of the Jacobian determinant of all layers so far; energy - log_det hardly changes."""


class L2HMC(Sampler):
    """Proposals of a generalised leapfrog, accepted with min(1, exp(H - H' + log |det J|)).

    direction "palindrome": the layers forward, a flip of the momentum, the layers backward. This
    map is its own inverse. With n layers a draw has 2 n leapfrog steps.

    direction "random": a coin for each chain and step says whether the layers run forward or
    backward. With n layers a draw has n leapfrog steps.

    With networks that return zeros L2HMC is HMC with the leapfrog integrator. From the same key
    both draw the same momenta and make the same proposals, with the same delta_h.

    Raises:
        ValueError: an unknown direction, or masks that do not fit the theory.
    """

    theory: Theory
    leapfrog: GeneralisedLeapfrog
    direction: str = "palindrome"

    def __check_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise ValueError(f"direction {self.direction}: choose {' or '.join(DIRECTIONS)}")
        self.leapfrog.check_space(self.theory.space)

    @property
    def n_leapfrogs(self) -> int:
        """Leapfrog steps, and so force evaluations, of one draw."""
        return self.leapfrog.n_layers * (2 if self.direction == "palindrome" else 1)

    def init(self, key: Key[Array, ""], hot: bool | Bool[Array, ""] = True) -> HMCState:
        return self.state(self.start(jax.random.split(key)[0], hot))

    def faults(self, key: Key[Array, ""], state: HMCState) -> dict[str, Bool[Array, ""]]:
        v = self.theory.space.random_momentum(jax.random.split(key)[1])
        good = self.leapfrog.networks_are_finite(self.theory, PhasePoint(state.x, v, state.force))
        message = "L2HMC: a step size or what a network returned is NaN or infinite"
        return stuck(self.theory, state.action) | {message: ~good}

    @property
    def forces_of_state(self) -> int:
        return 1

    def state(self, x: Field) -> HMCState:
        """The state of a chain that continues from the variable x."""
        self.theory.space.check(x)
        return HMCState(x, self.theory.action(x), self.leapfrog.force(self.theory, x))

    def step(self, key: Key[Array, ""], state: HMCState) -> tuple[HMCState, Info]:
        momentum_key, accept_key, direction_key = jax.random.split(key, 3)
        v = self.theory.space.random_momentum(momentum_key)
        proposal, delta_h = self.propose(state, v, jax.random.bernoulli(direction_key))
        state, info = metropolis(accept_key, state, proposal, delta_h)
        return state, info._replace(force_evaluations=jnp.asarray(self.n_leapfrogs, jnp.int32))

    def propose(
        self, state: HMCState, v: Field, forward: Bool[Array, ""]
    ) -> tuple[HMCState, Scalar]:
        """The proposal from a momentum, and minus the log of its acceptance ratio.

        `forward` is the direction of a random pass; a palindrome ignores `forward`.
        """
        end, log_det = self.trajectory(PhasePoint(state.x, v, state.force), forward)
        x = self.theory.space.project(end.x)
        proposal = HMCState(x, self.theory.action(x), end.force)
        kinetic = self.theory.space.kinetic_energy
        delta_h = (proposal.action - state.action) + (kinetic(end.v) - kinetic(v)) - log_det
        return proposal, delta_h

    def trajectory(self, start: PhasePoint, forward: Bool[Array, ""]) -> tuple[PhasePoint, Scalar]:
        """The map of phase space that makes proposals, and the log of its Jacobian determinant.

        A palindrome is its own inverse. A random backward pass starts from -v, which is as likely
        as v. So without networks both directions are the same trajectory.
        """
        if self.direction == "palindrome":
            return self.leapfrog.palindrome(self.theory, start)
        start = start._replace(v=jnp.where(forward, start.v, -start.v))
        return self.leapfrog.traverse(self.theory, start, (~forward,))[:2]

    def there_and_back(self, x: Field, v: Field) -> Field:
        """The end of a trajectory that is run and then undone: x but for rounding."""

        def leg(number: Int[Array, ""], start: PhasePoint) -> PhasePoint:
            end = self.trajectory(start, number == 0)[0]
            return flip(end) if self.direction == "random" else end

        # One loop over both, so that the trajectory is compiled once.
        return jax.lax.fori_loop(0, 2, leg, PhasePoint(x, v, self.leapfrog.force(self.theory, x))).x

    def phase_space_map(self, z: Shaped[Array, "2 ..."]) -> tuple[Shaped[Array, "2 ..."], Scalar]:
        """The proposal (forward, where a coin says) as a map of (x, v), and its log-det."""
        start = PhasePoint(z[0], z[1], self.leapfrog.force(self.theory, z[0]))
        end, log_det = self.trajectory(start, jnp.asarray(True))
        return jnp.stack([end.x, end.v]), log_det

    def diagnose(self, key: Key[Array, ""], state: HMCState) -> Diagnosis:
        """Energies and log-dets along the forward pass of one trajectory, [layer + 1].

        It ends as a pass alone does, with the kick of network 0 and not with that of a turn.
        """
        v = self.theory.space.random_momentum(key)
        kinetic = self.theory.space.kinetic_energy

        def observe(phase: PhasePoint, log_det: Scalar) -> Diagnosis:
            return Diagnosis(self.theory.action(phase.x) + kinetic(phase.v), log_det)

        start = PhasePoint(state.x, v, state.force)
        first = observe(start, jnp.zeros((), jnp.float64))
        _, _, rest = self.leapfrog.traverse(self.theory, start, (False,), observe)
        return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, rest)


def flip(phase: PhasePoint) -> PhasePoint:
    """The same point with the opposite momentum."""
    return phase._replace(v=-phase.v)
