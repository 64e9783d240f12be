"""How what is trained makes proposals: passes of a leapfrog, or trajectories in a flow's variables.

Both map a variable x of the theory to another one, y. `ExpectedJump` sees no more of them.
"""

import abc
from typing import Any, cast

import equinox as eqx
from jaxtyping import Array, Bool

from gaugemc.arrays import Field, Scalar
from gaugemc.samplers import HMC, L2HMC
from gaugemc.samplers.hmc.hmc import HMCState
from gaugemc.samplers.hmc.integrator import OMELYAN, Integrator, integrator_of
from gaugemc.spaces import Links
from gaugemc.theories import Theory
from gaugemc.theories.theory import Pullback


class Proposals(eqx.Module):
    """What makes a sampler of a model that is trained, and proposals that have derivatives."""

    @abc.abstractmethod
    def sampler(self, theory: Theory, model: Any) -> HMC | L2HMC:
        """The sampler that is trained; its variables may be others than the theory's."""

    @abc.abstractmethod
    def inward(self, sampler: HMC | L2HMC, x: Field) -> Field:
        """The sampler's variable of a variable of the theory."""

    @abc.abstractmethod
    def outward(self, sampler: HMC | L2HMC, z: Field) -> Field:
        """The theory's variable of a variable of the sampler."""

    @staticmethod
    def has_reverse_pass(theory: Theory) -> bool:
        """Whether reverse mode differentiates proposals; else differences do."""
        return True

    @abc.abstractmethod
    def propose(
        self, sampler: HMC | L2HMC, state: HMCState, v: Field, forward: Bool[Array, ""]
    ) -> tuple[HMCState, Scalar]:
        """The proposal from a momentum, and minus the log of its acceptance ratio."""


class Passes(Proposals):
    """Draws of L2HMC with a leapfrog; the direction is that of `L2HMC`."""

    direction: str = "palindrome"

    def sampler(self, theory: Theory, model: Any) -> L2HMC:
        return L2HMC(theory, model, self.direction)

    def inward(self, sampler: HMC | L2HMC, x: Field) -> Field:
        return x

    def outward(self, sampler: HMC | L2HMC, z: Field) -> Field:
        return z

    def propose(
        self, sampler: HMC | L2HMC, state: HMCState, v: Field, forward: Bool[Array, ""]
    ) -> tuple[HMCState, Scalar]:
        return cast(L2HMC, sampler).propose(state, v, forward)


class FlowTrajectories(Proposals):
    """Trajectories of field-transformation HMC with a flow, of a length that is not trained.

    Step size, steps, integrator and force scale are those of `HMC`.
    """

    step_size: float = eqx.field(static=True)
    n_steps: int = eqx.field(static=True)
    integrator: Integrator = eqx.field(converter=integrator_of, default=OMELYAN, static=True)
    force_scale: float | None = eqx.field(default=None, static=True)

    def sampler(self, theory: Theory, model: Any) -> HMC:
        transformed = theory.pullback(model)
        return HMC(transformed, self.step_size, self.n_steps, self.integrator, self.force_scale)

    def inward(self, sampler: HMC | L2HMC, x: Field) -> Field:
        return cast(Pullback, sampler.theory).flow.inverse(x)[0]

    def outward(self, sampler: HMC | L2HMC, z: Field) -> Field:
        return cast(Pullback, sampler.theory).flow.forward(z)[0]

    def propose(
        self, sampler: HMC | L2HMC, state: HMCState, v: Field, forward: Bool[Array, ""]
    ) -> tuple[HMCState, Scalar]:
        return cast(HMC, sampler).propose(state, v, self.n_steps)

    @staticmethod
    def has_reverse_pass(theory: Theory) -> bool:
        """Only in two dimensions: in four XLA does not compile the reverse pass in minutes."""
        return not (isinstance(theory.space, Links) and len(theory.space.lattice) > 2)
