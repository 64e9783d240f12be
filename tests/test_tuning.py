"""Tuning HMC: step sizes that reach an acceptance, and the choice between candidates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.samplers import HMC, sample
from gaugemc.samplers.driver import start_chains
from gaugemc.samplers.tuning import (
    Candidate,
    DualAveraging,
    score_of,
    tune,
    tune_step_size,
    with_length,
)
from gaugemc.theories import Gaussian

THEORY = Gaussian(jnp.zeros(64), jnp.eye(64))
"""Every trajectory of HMC has the period 2 pi."""


@pytest.mark.parametrize("target", [0.65, 0.9])
def test_dual_averaging_finds_the_root(target: float) -> None:
    """Of an acceptance that falls with the step size, and is seen with noise 0.03."""
    rng = np.random.default_rng(1)
    average = DualAveraging(target, start=3.0)
    for _ in range(300):
        average.update(float(np.exp(-average.step_size) + 0.03 * rng.normal()))
    assert np.exp(-average.mean) == pytest.approx(target, abs=0.02)


@pytest.mark.parametrize("target", [0.65, 0.9])
def test_the_tuned_step_size_has_the_acceptance(target: float, key: jax.Array) -> None:
    """Measured on 64 x 100 draws, whose mean has an error below 0.005."""
    start_key, tune_key, run_key = jax.random.split(key, 3)
    first = HMC(THEORY, 0.1, 10)
    states = start_chains(first, start_key, 64)
    tuned, states = tune_step_size(
        first, tune_key, states, length=1.5, target=target, iterations=100
    )
    draws = sample(tuned, run_key, draws=100, warmup=0, states=states).draws
    assert draws.info.acceptance.mean() == pytest.approx(target, abs=0.05)
    assert float(tuned.step_size * tuned.n_steps) == pytest.approx(1.5, rel=0.5)


def test_with_length_takes_the_nearest_number_of_steps() -> None:
    first = HMC(THEORY, 0.1, 10)
    assert int(with_length(first, 1.0, 0.24, 100).n_steps) == 4
    assert int(with_length(first, 1.0, 0.01, 50).n_steps) == 50
    assert int(with_length(first, 1.0, 7.0, 50).n_steps) == 1


def test_tune_prefers_the_candidate_that_moves_farther(key: jax.Array) -> None:
    """A quarter of the period forgets the start; the whole period comes back to it."""
    start_key, tune_key = jax.random.split(key)
    first = HMC(THEORY, 0.1, 10)
    states = start_chains(first, start_key, 64)
    best, candidates, states = tune(
        first, tune_key, states, lengths=[6.2, 1.6], targets=[0.9], iterations=30, draws=30
    )
    back, quarter = candidates
    assert back.trajectory_length == pytest.approx(6.2, rel=0.1)
    assert quarter.trajectory_length == pytest.approx(1.6, rel=0.25)
    assert quarter.jumps["mean"] > 4 * back.jumps["mean"]
    assert float(best.step_size) == quarter.step_size
    assert int(best.n_steps) == quarter.n_steps
    assert jax.tree.leaves(states)[0].shape[0] == 64


def candidate(**jumps: float) -> Candidate:
    return Candidate(1.0, 0.1, 10, 0.8, jumps)


def test_candidates_are_scored_by_the_charge_where_it_moves() -> None:
    frozen = candidate(charge=0.0, plaquette=0.3)
    assert score_of([frozen, candidate(charge=0.1, plaquette=0.1)]) == "charge"
    assert score_of([frozen, frozen]) == "plaquette"
    assert score_of([candidate(mean=0.2), candidate(mean=0.1)]) == "mean"
    assert score_of([candidate(charge=0.0)]) == "charge"
