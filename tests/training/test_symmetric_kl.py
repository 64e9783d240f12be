"""Training on draws of the theory and of the flow at once."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, PyTree

from gaugemc.exact import u1
from gaugemc.flows import NCP, Flow, gauge_flow, multiscale_flow, stout_flow
from gaugemc.groups import U1
from gaugemc.spaces import Links
from gaugemc.theories import Gaussian, Wilson
from gaugemc.training import SymmetricKL, optimiser, quality, quantile_flow, start_training, train

U1_4X4 = Links(U1(), (4, 4), jnp.float64)
STEP = jnp.asarray(0)


def test_value_without_a_flow_follows_from_the_exact_plaquette(key: Array) -> None:
    """Uniform links: D_KL(q || p) + D_KL(p || q) = E_q[S] - E_p[S], and E_q[S] = 0.

    False alarm: 1e-5, at 4.4 errors.
    """
    theory, n = Wilson(U1_4X4, 2.0), 2000
    objective = SymmetricKL(theory, n)
    still = stout_flow(U1_4X4, sweeps=1)  # the identity before training
    loss, states = objective(still, key, STEP, objective.start(key, n))
    uniform = jax.vmap(U1_4X4.random)(jax.random.split(key, n))
    actions = [np.asarray(jax.vmap(theory.action)(x)) for x in (states.x, uniform)]
    error = np.sqrt(sum(np.var(s) for s in actions) / n)
    assert abs(float(loss) - 16 * 2.0 * u1.plaquette(2.0, 16)) < 4.4 * error


def test_a_flow_that_is_solved_has_hardly_a_divergence(key: Array) -> None:
    """Both parts have log Z, with opposite signs. False alarm: 1e-5, at 4.4 errors of 0.06."""
    theory = Wilson(U1_4X4, 2.0)
    objective = SymmetricKL(theory, 1000)
    loss, _ = objective(quantile_flow(theory), key, STEP, objective.start(key, 1000))
    assert abs(float(loss)) < 0.02


def test_gradient_is_the_sum_of_those_of_both_divergences(key: Array) -> None:
    objective = SymmetricKL(Wilson(U1_4X4, 2.0), 4)
    flow = gauge_flow(key, U1_4X4, NCP(), n_layers=2, hidden=[4])
    states = objective.start(key, 4)
    forward_key, reverse_key = jax.random.split(key)

    def gradient(loss: Callable[[Flow], Array]) -> PyTree:
        return eqx.filter_grad(loss)(flow)

    def forward(flow: Flow) -> Array:
        return objective.forward(flow, forward_key, STEP, states)[0]

    both = gradient(lambda flow: objective(flow, key, STEP, states)[0])
    reverse = gradient(lambda flow: objective.reverse(flow, reverse_key, STEP))
    total = jax.tree.map(jnp.add, gradient(forward), reverse)
    for found, wanted in zip(jax.tree.leaves(both), jax.tree.leaves(total)):
        np.testing.assert_allclose(found, wanted, atol=1e-10)
    assert max(float(jnp.max(jnp.abs(g))) for g in jax.tree.leaves(reverse)) > 1e-3


def test_splits_learn_a_theory_from_the_identity(key: Array) -> None:
    """In 300 steps, to an ESS above 0.7 (0.86 to 0.89 with five keys)."""
    theory, steps = Wilson(U1_4X4, 3.0), 300
    objective, adam = SymmetricKL(theory, 32), optimiser(0.3, steps, warmup=20)
    state = start_training(multiscale_flow(U1_4X4), adam, objective.start(key, 32))
    ((state, _),) = train(objective, adam, state, key, steps, steps)
    log_z = u1.log_partition_function(3.0, 16)
    found = quality(state.model, theory, key, log_partition=log_z)
    assert found.ess > 0.7
    assert found.kl is not None
    assert found.kl < 0.3


def test_needs_a_sampler_of_the_theory() -> None:
    with pytest.raises(ValueError, match="heatbath"):
        SymmetricKL(Gaussian(jnp.zeros(2), jnp.eye(2)), 4)
