"""Training by maximum likelihood, on draws of the theory."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from gaugemc.exact import u1
from gaugemc.flows import NCP, Flow, gauge_flow, stout_flow
from gaugemc.groups import SUN, U1
from gaugemc.spaces import Links
from gaugemc.theories import Gaussian, Wilson
from gaugemc.training import ForwardKL, optimiser, quality, start_training, train

U1_4X4 = Links(U1(), (4, 4), jnp.float64)
SU2_4X4 = Links(SUN(2), (4, 4), jnp.float64)


def ncp(key: Array, n_layers: int = 2) -> Flow:
    return gauge_flow(key, U1_4X4, NCP(), n_layers=n_layers, hidden=[4])


def test_value_without_a_flow_is_that_of_the_exact_plaquette(key: Array) -> None:
    """E_p[-S] - log q with uniform links. False alarm: 1e-5, at 4.4 errors."""
    theory = Wilson(U1_4X4, 2.0)
    objective = ForwardKL(theory)
    still = stout_flow(U1_4X4, sweeps=1)  # the identity before training
    states = objective.start(key, 2000)
    loss, after = objective(still, key, jnp.asarray(0), states)
    wanted = 16 * 2.0 * u1.plaquette(2.0, 16) + 32 * np.log(2 * np.pi)
    actions = np.asarray(jax.vmap(theory.action)(after.x))
    assert abs(float(loss) - wanted) < 4.4 * actions.std() / np.sqrt(len(actions))
    assert float(jnp.mean(jnp.abs(after.x - states.x))) > 0.1  # new draws


def test_gradient_is_that_of_the_density_at_fixed_draws(key: Array) -> None:
    objective = ForwardKL(Wilson(U1_4X4, 2.0))
    flow, states = ncp(key), objective.start(key, 4)
    x = objective(flow, key, jnp.asarray(0), states)[1].x

    def minus_log_q(flow: Flow) -> Array:
        z, log_det = jax.vmap(flow.inverse)(x)
        return -jnp.mean(jax.vmap(U1_4X4.log_reference)(z) + log_det)

    ours = eqx.filter_grad(lambda f: objective(f, key, jnp.asarray(0), states)[0])(flow)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(eqx.filter_grad(minus_log_q)(flow))):
        np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("group", [U1(), SUN(2)], ids=lambda g: g.name)
def test_training_brings_both_divergences_down(group: U1 | SUN, key: Array) -> None:
    """In 2D U(1) from exact draws, in SU(2) from a heatbath."""
    space, steps = (U1_4X4, 60) if isinstance(group, U1) else (SU2_4X4, 40)
    theory = Wilson(space, 2.0)
    flow = ncp(key, 8) if isinstance(group, U1) else stout_flow(space, sweeps=1)
    objective, adam = ForwardKL(theory), optimiser(0.02, steps, warmup=5)
    state = start_training(flow, adam, objective.start(key, 32))
    ((state, metrics),) = train(objective, adam, state, key, steps, steps)
    assert metrics.loss[-10:].mean() < metrics.loss[:3].mean() - 0.5
    before, after = (quality(f, theory, key, samples=512).loss for f in (flow, state.model))
    assert after < before - 0.5


def test_needs_a_sampler_of_the_theory() -> None:
    with pytest.raises(ValueError, match="heatbath"):
        ForwardKL(Gaussian(jnp.zeros(2), jnp.eye(2)))
