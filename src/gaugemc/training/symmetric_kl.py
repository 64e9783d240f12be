"""Training on draws of the theory and of the flow: the symmetric KL divergence."""

import equinox as eqx
import jax
from jaxtyping import Array, Int, Key, PyTree

from gaugemc.arrays import Scalar
from gaugemc.flows import Flow
from gaugemc.theories import Theory
from gaugemc.training.forward_kl import ForwardKL
from gaugemc.training.objective import ReverseKL
from gaugemc.training.schedule import BetaSchedule
from gaugemc.training.share import WHOLE, Share, shared


class SymmetricKL(eqx.Module):
    """D_KL(q || p) + D_KL(p || q), the divergence of Jeffreys (1946): log Z cancels.

    It is the sum of `ReverseKL` and `ForwardKL`, each on its own draws. Draws of the theory show
    what the flow leaves out. Draws of the flow show what the flow makes too often.

    Raises:
        ValueError: the theory has no sampler that draws from it, see `ForwardKL`.
    """

    forward: ForwardKL
    reverse: ReverseKL
    share: Share

    def __init__(self, theory: Theory, batch: int):
        beta = BetaSchedule(theory.own_beta, 1, "none")
        self.forward, self.reverse = ForwardKL(theory), ReverseKL(theory, batch, beta)
        self.share = WHOLE

    def start(self, key: Key[Array, ""], chains: int) -> PyTree:
        """States of chains in equilibrium, for `start_training`."""
        return self.forward.start(key, chains)

    def __call__(
        self, flow: Flow, key: Key[Array, ""], step: Int[Array, ""], states: PyTree
    ) -> tuple[Scalar, PyTree]:
        forward_key, reverse_key = jax.random.split(key)
        forward, states = shared(self.forward, self.share)(flow, forward_key, step, states)
        reverse = shared(self.reverse, self.share)(flow, reverse_key, step)
        return forward + reverse, states
