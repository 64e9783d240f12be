"""The reverse KL divergence, and the measured quality of a flow."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, Shaped

from gaugemc.arrays import Scalar
from gaugemc.flows import Flow
from gaugemc.theories import Theory
from gaugemc.theories.theory import check_flow
from gaugemc.training.share import WHOLE, Share

Schedule = Callable[[Int[Array, ""]], Scalar]


class ReverseKL(eqx.Module):
    """E_z[S(f(z)) - log |det J(z)| + log r(z)] over a batch (2112.01586, Eq. 4).

    Its mean is D_KL(q || p) - log Z. `beta` gives the coupling at each training step (annealing),
    for `Theory.at`.
    """

    theory: Theory
    batch: int
    beta: Schedule
    share: Share = WHOLE

    def __call__(self, flow: Flow, key: Key[Array, ""], step: Int[Array, ""]) -> Scalar:
        theory = self.theory.at(self.beta(step))
        keys = self.share.of(jax.random.split(key, self.batch))
        return -jnp.mean(log_weights(flow, theory, keys)[0])


def log_weights(
    flow: Flow, theory: Theory, keys: Key[Array, " n"]
) -> tuple[Float[Array, " n"], Shaped[Array, "n ..."]]:
    """log p(x) Z / q(x) of a fresh draw x of the flow for each key, and the draws."""
    check_flow(flow, theory.space)
    flow = flow.fixed()

    def draw(key: Key[Array, ""]) -> tuple[Scalar, Array]:
        z = theory.space.random(key)
        x, log_det = flow.forward(z)
        return -theory.action(x) + log_det - theory.space.log_reference(z), x

    return jax.vmap(draw)(keys)
