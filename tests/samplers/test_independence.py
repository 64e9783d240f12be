"""Independence Metropolis: exact for any flow."""

import equinox as eqx
import jax
import numpy as np
import pytest

from gaugemc.chains import sample
from gaugemc.chains.driver import start_chains
from gaugemc.exact import u1 as exact_u1
from gaugemc.flows import NCP, Chain, Flow, gauge_flow
from gaugemc.groups import U1
from gaugemc.samplers import Independence
from gaugemc.spaces import Links
from gaugemc.statistics.autocorrelation import estimate, z_score
from gaugemc.theories import Wilson

THEORY = Wilson(Links(U1(), (4, 4)), 0.5)


def random_flow(key: jax.Array) -> Flow:
    """Untrained, with parameters well away from the identity's."""
    flow = gauge_flow(key, THEORY.space, NCP(), n_layers=2, hidden=[4])
    arrays, static = eqx.partition(flow, eqx.is_inexact_array)
    leaves, structure = jax.tree.flatten(arrays)
    keys = jax.random.split(key, len(leaves))
    moved = [a + 0.03 * jax.random.normal(k, a.shape, a.dtype) for k, a in zip(keys, leaves)]
    return eqx.combine(jax.tree.unflatten(structure, moved), static)


@pytest.fixture(scope="module")
def sampler() -> Independence:
    return Independence(THEORY, random_flow(jax.random.key(3)))


def log_weight(sampler: Independence, x: jax.Array) -> jax.Array:
    """log p(x) / q(x) from the flow's inverse."""
    z, log_det = sampler.flow.inverse(x)
    log_q = sampler.theory.space.log_reference(z) + log_det
    return -sampler.theory.action(x) - log_q


def test_means_are_exact_and_weights_belong_to_their_configurations(
    sampler: Independence,
) -> None:
    """Three z-scores of Gamma-method errors below 4: false alarm 2e-4 (the key is fixed)."""
    samples = sample(sampler, jax.random.key(4), chains=64, draws=1600, warmup=150)
    draws = samples.draws
    for name, exact in exact_u1.exact_observables(0.5, 16).items():
        result = estimate(draws.observables[name])
        z = z_score(result, exact)
        assert not result.lower_bound
        assert z is not None
        assert abs(z) < 4, name
    assert 0.01 < draws.info.acceptance.mean() < 0.99
    assert draws.info.force_evaluations.max() == 0
    recomputed = eqx.filter_jit(eqx.filter_vmap(log_weight, in_axes=(None, 0)))(
        sampler, samples.states.x
    )
    np.testing.assert_allclose(samples.states.log_weight, recomputed, atol=1e-9)


def test_chains_start_from_the_flow_with_their_weights(sampler: Independence, key: jax.Array):
    states = start_chains(sampler, key, 5)
    weights = eqx.filter_jit(eqx.filter_vmap(log_weight, in_axes=(None, 0)))(sampler, states.x)
    np.testing.assert_allclose(states.log_weight, weights, atol=1e-9)
    assert len(np.unique(np.asarray(states.log_weight))) == 5


def test_a_perfect_proposal_is_always_accepted(key: jax.Array) -> None:
    perfect = Independence(Wilson(THEORY.space, 0.0), Chain(()))
    samples = sample(perfect, key, chains=4, draws=20, warmup=0)
    assert samples.draws.info.accepted.all()
    assert np.abs(samples.draws.info.delta_h).max() < 1e-9
