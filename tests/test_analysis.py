"""Autocorrelation times, errors and comparisons, on series whose statistics are known."""

import math

import numpy as np
import pytest

from gaugemc.analysis.autocorrelation import Estimate, estimate, r_hat, z_score
from gaugemc.analysis.compare import Cost, compare


def autoregressive(rng: np.random.Generator, memory: float, chains: int, draws: int) -> np.ndarray:
    """Unit-variance AR(1) chains; tau_int = (1 + memory) / (1 - memory) / 2."""
    noise = rng.normal(size=(chains, draws))
    series = np.empty_like(noise)
    series[:, 0] = noise[:, 0]
    for t in range(1, draws):
        series[:, t] = memory * series[:, t - 1] + math.sqrt(1 - memory**2) * noise[:, t]
    return series


def test_white_noise_has_tau_one_half() -> None:
    """The windows of 2 draws hold noise of 2 % here; 8 % is 4 standard deviations: 6e-5."""
    result = estimate(np.random.default_rng(1).normal(size=(4, 2500)))
    assert result.tau_int == pytest.approx(0.5, abs=0.04)
    assert result.error == pytest.approx(0.01, rel=0.08)
    assert not result.lower_bound


@pytest.mark.parametrize("memory", [0.5, 0.8, 0.9])
def test_autoregressive_chains_have_their_tau_and_error(memory: float) -> None:
    """Over 12 seeds tau's mean is within 4 of its errors and 5 % of bias (false alarm 6e-5), and
    the z-scores of the mean, 0, have a sum of squares below the 1 - 1e-5 quantile."""
    rng = np.random.default_rng(2)
    tau = (1 + memory) / (1 - memory) / 2
    results = [estimate(autoregressive(rng, memory, 8, 2000)) for _ in range(12)]
    taus = np.array([r.tau_int for r in results])
    assert abs(taus.mean() - tau) < 4 * taus.std(ddof=1) / np.sqrt(12) + 0.05 * tau
    assert 0.5 < np.mean([r.tau_int_error for r in results]) / taus.std(ddof=1) < 3
    exact_error = math.sqrt(2 * tau / (8 * 2000))
    assert np.mean([r.error for r in results]) == pytest.approx(exact_error, rel=0.08)
    z = np.array([z_score(r, 0.0) for r in results], np.float64)
    assert np.sum(z**2) < 45.1  # chi-square with 12 degrees of freedom
    assert np.sum(z**2) > 1.0


def test_anticorrelated_chains_have_less_than_one_half() -> None:
    """AR(1) with negative memory; the errors of tau and of the mean, over 12 seeds, as above."""
    rng = np.random.default_rng(7)
    results = [estimate(autoregressive(rng, -0.8, 8, 2000)) for _ in range(12)]
    tau = 0.2 / 1.8 / 2
    taus = np.array([r.tau_int for r in results])
    assert abs(taus.mean() - tau) < 4 * taus.std(ddof=1) / np.sqrt(12) + 0.05 * tau
    exact_error = math.sqrt(2 * tau / (8 * 2000))
    assert np.mean([r.error for r in results]) == pytest.approx(exact_error, rel=0.08)
    z = np.array([z_score(r, 0.0) for r in results], np.float64)
    assert 1.0 < np.sum(z**2) < 45.1  # chi-square with 12 degrees of freedom


def test_anticorrelation_does_not_hide_what_is_slow() -> None:
    """A fast alternation, with rho(1) < 0, on top of a drift: the window must not close there."""
    rng = np.random.default_rng(8)
    fast, slow = autoregressive(rng, -0.95, 8, 4000), autoregressive(rng, 0.95, 8, 4000)
    mixed = estimate(fast + 0.6 * slow)
    tau = (0.05 / 1.95 / 2 + 0.36 * 1.95 / 0.05 / 2) / 1.36
    assert mixed.tau_int == pytest.approx(tau, rel=0.25)
    assert mixed.error == pytest.approx(math.sqrt(2 * tau * 1.36 / 32000), rel=0.15)
    stuck = np.concatenate([fast[:7], np.full((1, 4000), 2.0)])
    assert estimate(stuck).lower_bound


def test_a_slow_alternation_is_slow() -> None:
    """Chains that alternate between values of their own say little of the mean."""
    rng = np.random.default_rng(9)
    assert estimate(autoregressive(rng, -0.98, 8, 200)).lower_bound
    assert not estimate(autoregressive(rng, -0.8, 8, 200)).lower_bound


def test_too_short_chains_give_lower_bounds() -> None:
    rng = np.random.default_rng(3)
    assert estimate(autoregressive(rng, 0.98, 8, 100)).lower_bound
    assert not estimate(autoregressive(rng, 0.5, 8, 100)).lower_bound


def test_chains_stuck_apart_are_not_precise() -> None:
    """Chains that fluctuate each about its own value: the error is that of few values."""
    rng = np.random.default_rng(4)
    centres = np.array([-3.0, -1.0, 1.0, 3.0])
    result = estimate(centres[:, None] + 0.01 * rng.normal(size=(4, 500)))
    assert result.lower_bound
    assert result.error > 0.5


def test_frozen_chains_are_lower_bounds_with_the_spread_of_the_chains() -> None:
    values = np.array([0.0, 1.0, 0.0, 1.0])
    result = estimate(np.repeat(values[:, None], 50, axis=1))
    assert result.lower_bound
    assert result.mean == 0.5
    assert result.error == pytest.approx(values.std(ddof=1) / 2)
    assert result.tau_int == 25
    assert result.tau_int_error == math.inf


def test_one_frozen_chain_has_no_error() -> None:
    result = estimate(np.ones((1, 50)))
    assert result.lower_bound
    assert z_score(result, 1.0) is None


def test_r_hat_is_near_one_for_chains_that_agree() -> None:
    """The statistic of 8 chains of 1000 independent draws deviates by about 1e-3."""
    assert r_hat(np.random.default_rng(5).normal(size=(8, 1000))) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("kind", ["apart", "drifting"])
def test_r_hat_is_large_for_chains_that_do_not(kind: str) -> None:
    noise = np.random.default_rng(6).normal(size=(8, 1000))
    offset = np.arange(8)[:, None] if kind == "apart" else np.linspace(0, 8, 1000)[None, :]
    assert r_hat(noise + offset) > 1.5


def test_r_hat_of_chains_without_motion() -> None:
    assert r_hat(np.repeat(np.arange(4.0)[:, None], 10, axis=1)) == math.inf
    assert r_hat(np.ones((4, 10))) == 1.0
    assert math.isnan(r_hat(np.ones((4, 3))))


def test_z_score() -> None:
    result = Estimate(1.5, 0.25, 0.5, 0.1, False)
    assert z_score(result, 1.0) == 2.0
    assert z_score(result, 2.0) == -2.0


def test_compare_multiplies_ratios_and_adds_relative_errors_in_squares() -> None:
    sampler = Estimate(0.0, 1.0, 2.0, 0.2, False)
    baseline = Estimate(0.0, 1.0, 30.0, 1.5, False)
    result = compare(sampler, Cost(3.0, 10.0), baseline, Cost(0.5, 20.0), 0.12)
    assert result.ess_per_second_ratio == pytest.approx(15 * 0.5 / 3)
    assert result.ess_per_force_ratio == pytest.approx(15 * 20 / 10)
    assert result.error == pytest.approx(2.5 * math.sqrt(0.1**2 + 0.05**2 + 0.12**2))
    assert result.force_error == pytest.approx(30 * math.sqrt(0.1**2 + 0.05**2))
    assert (result.lower_bound, result.upper_bound) == (False, False)


@pytest.mark.parametrize(("sampler_bound", "baseline_bound"), [(True, False), (False, True)])
def test_compare_says_which_bound_it_is(sampler_bound: bool, baseline_bound: bool) -> None:
    sampler = Estimate(0.0, 1.0, 2.0, 0.2, sampler_bound)
    baseline = Estimate(0.0, 1.0, 2.0, 0.2, baseline_bound)
    result = compare(sampler, Cost(1.0, 1.0), baseline, Cost(1.0, 1.0), 0.0)
    assert (result.upper_bound, result.lower_bound) == (sampler_bound, baseline_bound)


def test_compare_without_forces_has_no_ratio_per_force() -> None:
    one = Estimate(0.0, 1.0, 2.0, 0.2, False)
    result = compare(one, Cost(1.0, 0.0), one, Cost(1.0, 5.0), 0.0)
    assert result.ess_per_force_ratio is None
    assert result.force_error is None
