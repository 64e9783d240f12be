"""The reverse KL divergence, and the measured quality of a flow."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from gaugemc.flows import Flow
from gaugemc.theories import Theory, Wilson

Scalar = Float[Array, ""]
Schedule = Callable[[Int[Array, ""]], Scalar]


class ReverseKL(eqx.Module):
    """E_z[S(f(z)) - log |det J(z)| + log r(z)] over a batch (2112.01586, Eq. 4).

    Its mean is D_KL(q || p) - log Z. `beta` gives the coupling at each training step (annealing).
    """

    theory: Wilson
    batch: int
    beta: Schedule

    def __call__(self, flow: Flow, key: Key[Array, ""], step: Int[Array, ""]) -> Scalar:
        theory = eqx.tree_at(lambda t: t.beta, self.theory, self.beta(step))
        return -jnp.mean(log_weights(flow, theory, key, self.batch)[0])


def log_weights(
    flow: Flow, theory: Theory, key: Key[Array, ""], n: int
) -> tuple[Float[Array, " n"], Float[Array, "n ..."]]:
    """log p(x) Z / q(x) of n fresh draws x of the flow, and the draws."""
    flow = flow.fixed()

    def draw(key: Key[Array, ""]) -> tuple[Scalar, Array]:
        z = theory.space.random(key)
        x, log_det = flow.forward(z)
        return -theory.action(x) + log_det - theory.space.log_reference(z), x

    return jax.vmap(draw)(jax.random.split(key, n))


class Quality(NamedTuple):
    """How good a flow is, from fresh draws."""

    loss: float
    kl: float | None
    """D_KL(q || p) = loss + log Z, where log Z is known."""
    ess: float
    """Effective sample size over the number of draws, (sum w)^2 / (n sum w^2)."""
    charge_squared: float | None
    """`<Q^2>` under the model: mode collapse shows here."""
    samples: int


@eqx.filter_jit
def _quality_batch(flow: Flow, theory: Theory, key: Key[Array, ""], n: int):
    weights, x = log_weights(flow, theory, key, n)
    return weights, jax.vmap(theory.observables)(x)


def quality(
    flow: Flow,
    theory: Theory,
    key: Key[Array, ""],
    *,
    samples: int = 4096,
    log_partition: float | None = None,
    batch: int = 512,
) -> Quality:
    """Loss, D_KL and ESS of a flow on `samples` fresh draws, in batches.

    Fewer than a few thousand draws overestimate the ESS: on 64 draws the ESS cannot be below 1/64.
    """
    parts = [
        _quality_batch(flow, theory, jax.random.fold_in(key, i), batch)
        for i in range(-(-samples // batch))
    ]
    log_w = np.concatenate([w for w, _ in parts])
    w = np.exp(log_w - log_w.max())
    charges = [o["charge_squared"] for _, o in parts if "charge_squared" in o]
    loss = -float(log_w.mean())
    return Quality(
        loss,
        None if log_partition is None else loss + log_partition,
        float(w.sum() ** 2 / (w**2).sum() / len(w)),
        float(np.mean(np.concatenate(charges))) if charges else None,
        len(log_w),
    )
