"""The exactness checks of every run: what must hold if the sampler samples the right density."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from gaugemc.analysis.autocorrelation import Estimate, estimate, z_score
from gaugemc.experiment.chain_phase import Chains
from gaugemc.flows import Flow
from gaugemc.samplers import HMC
from gaugemc.samplers.integrator import Phase, trajectory
from gaugemc.theories import Links, Wilson

Z_LIMIT = 4.0
"""Two-sided false-alarm probability 6e-5 for each z-score."""
_REVERSIBILITY_LIMIT = 1e-8
_LOG_DET_LIMIT = 1e-8
_JACOBIAN_LATTICE = (8, 8)
"""The autodiff Jacobian is dense: on larger lattices the same flow is checked on this one."""


def reversibility(
    sampler: HMC, theory: Wilson, flow: Flow | None, key: Key[Array, ""]
) -> dict[str, Any]:
    """Largest distance from the start after a trajectory there and, momentum flipped, back.

    In float64 (so is `flow`), whatever the run's precision: rounding grows along a trajectory,
    mistakes are there from the start.
    """
    group = theory.space.group
    base = Wilson(Links(group, theory.space.lattice, jnp.float64), theory.beta)
    target = base if flow is None else base.pullback(flow)
    start_key, momentum_key = jax.random.split(key)

    start = base.space.random(start_key), base.space.random_momentum(momentum_key)

    @eqx.filter_jit
    def there(sampler: HMC, x: Array, v: Array) -> tuple[Array, Array]:
        end = trajectory(
            sampler.integrator,
            base.space,
            sampler.force,
            Phase(x, v, sampler.force(x)),
            sampler.step_size,
            sampler.n_steps,
        )
        return end.x, -end.v

    precise = eqx.tree_at(lambda s: s.theory, sampler, target)
    x, _ = there(precise, *there(precise, *start))
    there_and_back = group.project(group.multiply(x, group.adjoint(start[0])))
    identity = group.identity(base.space.shape, base.space.dtype)
    distance = float(jnp.max(jnp.abs(there_and_back - identity)))
    return bounded(distance, _REVERSIBILITY_LIMIT)


def log_det(flow: Flow, theory: Wilson, key: Key[Array, ""], configurations: int = 3):
    """Largest difference of the flow's log-det from that of its autodiff Jacobian.

    The flow is in float64: derivatives of a network in less are not linear in the tangent.
    """
    lattice = min(theory.space.lattice, _JACOBIAN_LATTICE, key=np.prod)
    space = Links(theory.space.group, lattice, jnp.float64)
    flow = flow.on(lattice)

    @eqx.filter_jit
    def difference(flow: Flow, key: Key[Array, ""]):
        z = space.random(key)
        claimed = flow.forward(z)[1]
        jacobian = jax.jacfwd(lambda z: flow.forward(z)[0])(z).reshape(z.size, z.size)
        return jnp.abs(jnp.linalg.slogdet(jacobian)[1] - claimed) / jnp.maximum(
            1.0, jnp.abs(claimed)
        )

    worst = max(float(difference(flow, k)) for k in jax.random.split(key, configurations))
    return bounded(worst, _LOG_DET_LIMIT)


def exp_minus_delta_h(chains: Chains) -> dict[str, Any] | None:
    """<exp(-dH)> = 1 for every reversible, volume-preserving proposal in equilibrium.

    None where chains are too short for an error.
    """
    result = estimate(np.exp(-chains.draws.info.delta_h))
    known = {"mean": result.mean, "error": result.error}
    if not math.isfinite(result.mean):
        return {**known, "z": None, "limit": Z_LIMIT, "passed": False}
    check = against_exact(result, 1.0)
    return check and {**known, **check}


def against_exact(result: Estimate, exact: float) -> dict[str, Any] | None:
    """The z-score of an observable; None where chains are too short for an error."""
    z = z_score(result, exact)
    if z is None or result.lower_bound:
        return None
    return {"z": z, "limit": Z_LIMIT, "passed": abs(z) <= Z_LIMIT}


def bounded(value: float, limit: float) -> dict[str, Any]:
    """A check that a number is small."""
    return {"value": value, "limit": limit, "passed": bool(value <= limit)}
