"""Path gradients of the reverse KL divergence (2207.08219)."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key

from gaugemc.arrays import Scalar
from gaugemc.flows import Flow
from gaugemc.theories import Theory
from gaugemc.theories.theory import check_flow
from gaugemc.training.objective import Schedule
from gaugemc.training.share import WHOLE, Share


class PathGradient(eqx.Module):
    """E_z[S(x) + log q(x)] with x = f(z), differentiated through x alone.

    The value is the value of `ReverseKL`. The gradient leaves out one term, in which the parameters
    of log q change at fixed x. The mean of this term is zero, so the mean gradient is the same. At
    q = p the gradient of every single draw vanishes (2207.08219, Eq. 6). log q(x) comes from the
    inverse of the flow, whose circle maps are differentiated by the implicit function rule.
    """

    theory: Theory
    batch: int
    beta: Schedule
    share: Share = WHOLE

    def __call__(self, flow: Flow, key: Key[Array, ""], step: Int[Array, ""]) -> Scalar:
        theory = self.theory.at(self.beta(step))
        check_flow(flow, self.theory.space)
        flow = flow.fixed()
        parameters, static = eqx.partition(flow, eqx.is_inexact_array)
        frozen = eqx.combine(jax.lax.stop_gradient(parameters), static)

        def loss(key: Key[Array, ""]) -> Scalar:
            x, _ = flow.forward(theory.space.random(key))
            z, log_det = frozen.inverse(x)
            return theory.action(x) + theory.space.log_reference(z) + log_det

        keys = self.share.of(jax.random.split(key, self.batch))
        return jnp.mean(jax.vmap(loss)(keys))
