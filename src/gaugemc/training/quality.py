"""How good a flow is: D_KL and ESS from fresh draws, with errors."""

from typing import NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, Key

from gaugemc.flows import Flow
from gaugemc.theories import Theory
from gaugemc.training.objective import log_weights

FEWEST = 100
"""With fewer draws than that in the sum of squared weights, the ESS is only an upper bound."""


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
    kl_error: float
    """The standard error of the loss, and so of D_KL."""
    ess_error: float
    ess_bound: bool
    """Whether the ESS is only an upper bound: few large weights decide it, and what the draws have
    missed would lower it."""
    charge_squared_error: float | None


class Ess(NamedTuple):
    """An effective sample size as a fraction of the draws, with its error."""

    fraction: float
    error: float
    bound: bool


def effective_sample_size(log_w: Float[np.ndarray, " draw"]) -> Ess:
    """(sum w)^2 / (n sum w^2) of weights w = exp(log_w), its error by the delta method.

    The delta method needs the mean of w^2, which heavy tails hide: the fraction is a bound where
    (sum w^2)^2 / sum w^4, the number of draws that carry the mean of w^2, is below `FEWEST`.
    Measured on log-normal weights, 4096 draws, 1000 times: z-scores have a width of 1.0 at an ESS
    of 0.8, 1.2 at 0.5 and 1.4 at 0.4; at 0.3 half of the estimates are bounds, at 0.1 all are.
    """
    w = np.exp(log_w - log_w.max())
    first, second = w.mean(), np.mean(w**2)
    fraction = first**2 / second
    influence = fraction * (2 * w / first - w**2 / second - 1)
    carriers = np.sum(w**2) ** 2 / np.sum(w**4)
    return Ess(float(fraction), standard_error(influence), not carriers >= FEWEST)


def standard_error(values: Float[np.ndarray, " draw"]) -> float:
    """The standard error of the mean of independent values; infinite for a single one."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.inf


@eqx.filter_jit
def _quality_batch(flow: Flow, theory: Theory, key: Key[Array, ""], n: int):
    weights, x = log_weights(flow, theory, jax.random.split(key, n))
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

    Fewer than a few thousand draws overestimate the ESS: on 64 it cannot be below 1/64.
    """
    parts = [
        _quality_batch(flow, theory, jax.random.fold_in(key, i), batch)
        for i in range(-(-samples // batch))
    ]
    log_w = np.concatenate([w for w, _ in parts])
    charges = [o["charge_squared"] for _, o in parts if "charge_squared" in o]
    squares = np.concatenate(charges) if charges else None
    loss = -float(log_w.mean())
    ess = effective_sample_size(log_w)
    return Quality(
        loss,
        None if log_partition is None else loss + log_partition,
        ess.fraction,
        None if squares is None else float(np.mean(squares)),
        len(log_w),
        standard_error(log_w),
        ess.error,
        ess.bound,
        None if squares is None else standard_error(squares),
    )
