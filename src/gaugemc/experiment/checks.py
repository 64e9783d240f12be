"""The exactness checks of every run: what must hold if the sampler samples the right density."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from gaugemc.analysis.autocorrelation import Estimate, estimate, z_score
from gaugemc.experiment.build import Model
from gaugemc.experiment.chain_phase import Chains
from gaugemc.flows import Flow
from gaugemc.samplers import HMC, L2HMC, GeneralisedLeapfrog, Sampler, on_lattice
from gaugemc.samplers.compose import hmc_in
from gaugemc.samplers.trainable_leapfrog import holds_lattice_size
from gaugemc.theories import Links

Z_LIMIT = 4.0
"""Two-sided false-alarm probability 6e-5 for each z-score."""
_REVERSIBILITY_LIMIT = 1e-8
_LOG_DET_LIMIT = 1e-8
_JACOBIAN_LATTICE = (8, 8)
"""The autodiff Jacobian is dense: on larger lattices the same flow is checked on this one."""
_COLUMNS = 256
"""Columns of the Jacobian that are computed at once."""


def of_maps(sampler: Sampler, model: Model | None, key: Key[Array, ""]) -> dict[str, Any]:
    """The checks of the sampler's dynamics and of what was trained for it, both in float64.

    Whatever the run's precision: rounding grows along a trajectory, and derivatives of a network in
    less are not linear in the tangent. Mistakes are there from the start.
    """
    checked = {}
    dynamics = dynamics_of(sampler)
    if dynamics is not None:
        checked["reversibility"] = reversibility(dynamics, key)
    if model is not None:
        checked["log_det"] = log_det(sampler, model, key)
    return checked


def dynamics_of(sampler: Sampler) -> HMC | L2HMC | None:
    """The part of a sampler that follows reversible dynamics and accepts with exp(-delta_h)."""
    return sampler if isinstance(sampler, L2HMC) else hmc_in(sampler)


def reversibility(sampler: HMC | L2HMC, key: Key[Array, ""]) -> dict[str, Any]:
    """Largest distance from the start after a trajectory there and, momentum flipped, back."""
    space = sampler.theory.space
    start_key, momentum_key = jax.random.split(key)
    x, v = space.random(start_key), space.random_momentum(momentum_key)

    @eqx.filter_jit
    def there_and_back(sampler: HMC | L2HMC, x: Array, v: Array) -> Array:
        return sampler.there_and_back(x, v)

    distance = space.distance(x, there_and_back(sampler, x, v))
    return bounded(float(distance), _REVERSIBILITY_LIMIT)


def log_det(
    sampler: Sampler, model: Model, key: Key[Array, ""], configurations: int = 3
) -> dict[str, Any]:
    """Largest difference of a map's log-det from that of its autodiff Jacobian.

    The map is the flow, or the proposal of L2HMC in phase space.
    """
    space = sampler.theory.space
    if isinstance(space, Links):
        space, model = small_enough(space, model)

    @eqx.filter_jit
    def difference(sampler: Sampler, model: Model, key: Key[Array, ""]):
        if isinstance(model, Flow):
            start, move = space.random(key), model.forward
        else:
            assert isinstance(sampler, L2HMC)
            theory = eqx.tree_at(lambda t: t.space, sampler.theory, space)
            there = L2HMC(theory, model, sampler.direction)
            keys = jax.random.split(key)
            start = jnp.stack([space.random(keys[0]), space.random_momentum(keys[1])])
            move = there.phase_space_map

        def column(tangent: Array) -> Array:
            return jax.jvp(lambda z: move(z)[0], (start,), (tangent.reshape(start.shape),))[1]

        claimed = move(start)[1]
        unit = jnp.eye(start.size, dtype=start.dtype)
        jacobian = jax.lax.map(column, unit, batch_size=_COLUMNS).reshape(start.size, start.size)
        return jnp.abs(jnp.linalg.slogdet(jacobian)[1] - claimed) / jnp.maximum(
            1.0, jnp.abs(claimed)
        )

    keys = jax.random.split(key, configurations)
    return bounded(max(float(difference(sampler, model, k)) for k in keys), _LOG_DET_LIMIT)


def small_enough(space: Links, model: Model) -> tuple[Links, Model]:
    """A model on a lattice whose autodiff Jacobian can be computed, where it can be moved there."""
    fixed = isinstance(model, GeneralisedLeapfrog) and holds_lattice_size(model)
    if len(space.lattice) == 2 and not fixed:
        space = Links(space.group, min(space.lattice, _JACOBIAN_LATTICE, key=np.prod), space.real)
    return space, model.on(space.lattice) if isinstance(model, Flow) else on_lattice(model, space)


def exp_minus_delta_h(chains: Chains) -> dict[str, Any] | None:
    """`<exp(-dH)> = 1` for every reversible, volume-preserving proposal in equilibrium.

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
