"""Independence Metropolis: propose from a flow, accept with the ratio of weights (2003.06413)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from gaugemc.arrays import Field
from gaugemc.flows import Flow
from gaugemc.samplers.metropolis import metropolis
from gaugemc.samplers.sampler import Info, Sampler
from gaugemc.theories import Theory
from gaugemc.theories.theory import check_flow


class IndependenceState(NamedTuple):
    """A chain: its configuration, and log p(x) / q(x) up to a constant."""

    x: Field
    log_weight: Float[Array, ""]


class Independence(Sampler):
    """Proposals x = flow(z), z from the reference measure; exact for any flow whose
    log-determinant is exact.

    The chain is uniformly ergodic where p/q is bounded. Its rejections say how good the flow is.
    On a theory that was pulled back along the flow, the identity `Chain(())` as a flow makes the
    same proposals.
    """

    theory: Theory
    flow: Flow

    def __init__(self, theory: Theory, flow: Flow):
        check_flow(flow, theory.space)
        self.theory = theory
        self.flow = flow.fixed()

    @property
    def one_start(self) -> str:
        return "draws of the flow"

    def init(self, key: Key[Array, ""], hot: bool | Bool[Array, ""] = True) -> IndependenceState:
        """A draw of the flow, hot or not.

        The weight of the ordered configuration grows exponentially with the volume. No proposal
        may ever come near such a weight, and then a chain that started there would never leave.
        """
        return self.propose(key)

    def faults(self, key: Key[Array, ""], state: IndependenceState) -> dict[str, Bool[Array, ""]]:
        message = f"{self.theory.name}: the weight of a flow's draw is NaN"
        return {message: jnp.isnan(state.log_weight)}

    def state(self, x: Field) -> IndependenceState:
        """The state of a chain that continues from x; its weight takes the flow's inverse."""
        self.theory.space.check(x)
        z, log_det = self.flow.inverse(x)
        log_q = self.theory.space.log_reference(z) + log_det
        return IndependenceState(x, -self.theory.action(x) - log_q)

    def propose(self, key: Key[Array, ""]) -> IndependenceState:
        """An independent draw from the flow, with its log weight."""
        z = self.theory.space.random(key)
        x, log_det = self.flow.forward(z)
        self.theory.space.check_shape(x)
        log_q = self.theory.space.log_reference(z) - log_det
        return IndependenceState(x, -self.theory.action(x) - log_q)

    def step(self, key: Key[Array, ""], state: IndependenceState) -> tuple[IndependenceState, Info]:
        proposal_key, accept_key = jax.random.split(key)
        proposal = self.propose(proposal_key)
        return metropolis(accept_key, state, proposal, state.log_weight - proposal.log_weight)
