"""Expected jumps of field-transformation HMC: its proposals, the gradient, and what it trains."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

from gaugemc.chains.driver import sample
from gaugemc.flows import NCP, Flow, gauge_flow, stout_flow
from gaugemc.groups import SUN, U1
from gaugemc.samplers import HMC
from gaugemc.spaces import Links
from gaugemc.theories import Theory, Wilson
from gaugemc.training import (
    ChargeJump,
    ExpectedJump,
    FlowedJump,
    FlowTrajectories,
    PlaquetteJump,
    start_training,
    train,
)

pytestmark = pytest.mark.usefixtures("quick_compilation")
PLANE = Links(U1(), (4, 4), jnp.float64)
MATRICES = Links(SUN(2), (2, 2), jnp.float64)


def changed(flow: Flow, key: Array, size: float) -> Flow:
    """The flow with other parameters, no longer the identity."""
    arrays, static = eqx.partition(flow, eqx.is_inexact_array)
    vector, unravel = ravel_pytree(arrays)
    return eqx.combine(unravel(vector + size * jax.random.normal(key, vector.shape)), static)


def test_an_untrained_flow_proposes_as_hmc(key: Array) -> None:
    """The loss is minus the mean of A |jump|^2 of HMC's own steps, and the chains are HMC's."""
    theory, jump = Wilson(MATRICES, 2.0), PlaquetteJump()
    proposals = FlowTrajectories(0.25, 3)
    objective = ExpectedJump(theory, (jump,), proposals, "plain")
    x = jax.vmap(theory.space.random)(jax.random.split(key, 4))
    call = eqx.filter_jit(objective)
    loss, after = call(stout_flow(MATRICES, sweeps=1), key, jnp.asarray(0), x)
    hmc = HMC(theory, 0.25, 3, proposals.integrator)

    @jax.vmap
    def step(key: Array, x: Array) -> tuple[Array, Array]:
        state = hmc.state(x)
        proposal, _ = hmc.propose(state, theory.space.random_momentum(jax.random.split(key, 3)[0]))
        moved, info = hmc.step(key, state)
        return info.acceptance * jump.squared(theory, x, proposal.x), moved.x

    expected, moved = step(jax.random.split(key, 4), x)
    assert float(loss) == pytest.approx(-float(expected.mean()), rel=1e-10)
    np.testing.assert_allclose(after, moved, atol=1e-10)
    assert float(jnp.max(jnp.abs(after - x))) > 0.1


def stout(key: Array) -> tuple[ExpectedJump, Flow]:
    jumps = (PlaquetteJump(), FlowedJump(0.5, time=0.1))
    objective = ExpectedJump(Wilson(MATRICES, 2.0), jumps, FlowTrajectories(0.4, 2), "plain")
    return objective, changed(stout_flow(MATRICES, sweeps=1), key, 0.05)


def ncp(key: Array) -> tuple[ExpectedJump, Flow]:
    proposals = FlowTrajectories(0.3, 2, "leapfrog", force_scale=5.0)
    objective = ExpectedJump(Wilson(PLANE, 2.0), (ChargeJump(),), proposals)
    return objective, changed(gauge_flow(key, PLANE, NCP(), n_layers=2, hidden=[2]), key, 0.3)


class Differenced(FlowTrajectories):
    """Trajectories whose derivatives are differences in two dimensions too."""

    @staticmethod
    def has_reverse_pass(theory: Theory) -> bool:
        return False


@pytest.mark.parametrize("problem", [pytest.param(stout, marks=pytest.mark.slow), ncp])
def test_the_gradient_is_that_of_differences(problem: Any, key: Array) -> None:
    """By each parameter, at fixed configurations and random numbers."""
    objective, flow = problem(key)
    x = jax.vmap(objective.theory.space.random)(jax.random.split(key, 2))
    arrays, static = eqx.partition(flow, eqx.is_inexact_array)
    vector, unravel = ravel_pytree(arrays)

    def gradient(objective: ExpectedJump) -> np.ndarray:
        def loss(vector: Array) -> Array:
            return objective(eqx.combine(unravel(vector), static), key, jnp.asarray(0), x)[0]

        return np.asarray(jax.jit(jax.grad(loss))(vector))

    p = objective.proposals
    assert isinstance(p, FlowTrajectories)
    differenced = Differenced(p.step_size, p.n_steps, p.integrator, p.force_scale)
    ours, exact = (gradient(dataclasses.replace(objective, proposals=q)) for q in (differenced, p))
    size = float(np.linalg.norm(exact))
    assert size > 1e-3
    np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-6 * size)


def test_training_raises_the_jump(key: Array) -> None:
    """From 4^2 at beta = 3 and trajectories too short for a large jump: the flow lengthens them.

    The same configurations and random numbers before and after, so that chains differ in pairs.
    Without a gain the difference is above 4 errors once in 3 * 10^4 keys.
    """
    theory = Wilson(PLANE, 3.0)
    objective = ExpectedJump(theory, (PlaquetteJump(),), FlowTrajectories(0.2, 2), "plain")
    flow = stout_flow(PLANE, sweeps=1)
    adam = optax.adam(0.02)
    start = start_training(flow, adam, objective.start(flow, key, 32))
    *_, (state, _) = train(objective, adam, start, key, 30, 30)
    draws = sample(HMC(theory, 0.25, 4), jax.random.fold_in(key, 1), chains=256, draws=1, warmup=50)
    x = draws.states.x

    @eqx.filter_jit
    def losses(model: Flow) -> Array:
        keys = jax.random.split(jax.random.fold_in(key, 2), len(x))
        return jax.vmap(lambda key, x: objective(model, key, jnp.asarray(0), x[None])[0])(keys, x)

    gain = losses(flow) - losses(state.model)
    error = gain.std(ddof=1) / len(gain) ** 0.5
    assert float(gain.mean()) > 4 * float(error)
