"""Training by maximum likelihood: the forward KL divergence, on draws of the theory."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key, PyTree

from gaugemc.arrays import Field, Scalar
from gaugemc.flows import Flow
from gaugemc.samplers import ExactU1, Heatbath, Sampler
from gaugemc.spaces import is_u1_2d
from gaugemc.theories import Theory
from gaugemc.training.equilibrium import WARMUP, equilibrium, moved
from gaugemc.training.share import WHOLE, Share


class ForwardKL(eqx.Module):
    """E_p[-S(x) - log q(x)], which is D_KL(p || q) + log Z.

    `ReverseKL` learns from draws of the flow. They rarely meet what the flow leaves out, and where
    maps are steep their gradients are large and noisy. Draws of the theory are everywhere where
    the flow shall be, and S has no part in the gradient. At q = p the gradient of a draw is not
    zero, so its noise stays.

    The configurations are draws of the exact sampler in 2D U(1), and of heatbath chains that run
    on elsewhere. log q needs the inverse of the flow.

    Raises:
        ValueError: the theory has neither sampler.
    """

    theory: Theory
    source: Sampler
    share: Share

    def __init__(self, theory: Theory):
        self.theory, self.share = theory, WHOLE
        solved = is_u1_2d(theory.space) and theory.wilson_beta is not None
        self.source = ExactU1(theory) if solved else Heatbath(theory, overrelaxation=1)

    def start(self, key: Key[Array, ""], chains: int) -> PyTree:
        """States of chains in equilibrium, for `start_training`."""
        warmup = 0 if isinstance(self.source, ExactU1) else WARMUP
        return equilibrium(self.source, key, chains, warmup)

    def __call__(
        self, flow: Flow, key: Key[Array, ""], step: Int[Array, ""], states: PyTree
    ) -> tuple[Scalar, PyTree]:
        flow = flow.fixed()

        def minus_log_ratio(x: Field) -> Scalar:
            z, log_det = flow.inverse(x)
            log_q = self.theory.space.log_reference(z) + log_det
            return -self.theory.action(x) - log_q

        states = moved(self.source, self.share, key, states)
        return jnp.mean(jax.vmap(minus_log_ratio)(states.x)), states
