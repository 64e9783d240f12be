"""Autocorrelation times, errors and comparisons, on series whose statistics are known."""

import math
import re

import numpy as np
import pytest

from gaugemc.statistics.autocorrelation import Estimate, estimate, estimates_of, r_hat, z_score
from gaugemc.statistics.compare import Cost, compare


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


@pytest.mark.parametrize("memory", [0.5, 0.8, 0.9, -0.5, -0.8, -0.95])
def test_autoregressive_chains_have_their_tau_and_error(memory: float) -> None:
    """Over 12 seeds tau's mean is within 4 of its errors and 5 % of bias (false alarm 6e-5), and
    the z-scores of the mean, 0, have a sum of squares below the 1 - 1e-5 quantile. Being the larger
    of two, errors are 5 % too large on average. One seed in a hundred is flagged."""
    rng = np.random.default_rng(2)
    tau = (1 + memory) / (1 - memory) / 2
    results = [estimate(autoregressive(rng, memory, 32, 2000)) for _ in range(12)]
    unflagged = [r for r in results if not r.lower_bound]
    assert len(unflagged) >= 10
    taus = np.array([r.tau_int for r in unflagged])
    assert abs(taus.mean() - tau) < 4 * taus.std(ddof=1) / np.sqrt(len(taus)) + 0.05 * tau
    assert 0.5 < np.mean([r.tau_int_error for r in unflagged]) / taus.std(ddof=1) < 3
    exact_error = math.sqrt(2 * tau / (32 * 2000))
    assert np.mean([r.error for r in unflagged]) == pytest.approx(1.05 * exact_error, rel=0.08)
    z = np.array([z_score(r, 0.0) for r in results], np.float64)
    assert 1.0 < np.sum(z**2) < 45.1  # chi-square with 12 degrees of freedom


def test_anticorrelation_does_not_hide_what_is_slow() -> None:
    """A fast alternation, with rho(1) < 0, on top of a drift: the window must not close there."""
    rng = np.random.default_rng(8)
    fast, slow = autoregressive(rng, -0.95, 16, 4000), autoregressive(rng, 0.95, 16, 4000)
    mixed = estimate(fast + 0.6 * slow)
    tau = (0.05 / 1.95 / 2 + 0.36 * 1.95 / 0.05 / 2) / 1.36
    assert mixed.tau_int == pytest.approx(tau, rel=0.25)
    assert mixed.error == pytest.approx(math.sqrt(2 * tau * 1.36 / 64000), rel=0.25)
    stuck = np.concatenate([fast[:15], np.full((1, 4000), 2.0)])
    assert estimate(stuck).lower_bound


def test_the_ends_of_a_slow_alternation_are_in_the_error() -> None:
    """With a memory of -0.99, half of the error of 200 draws is that of the first and the last.

    The exact variance of the mean; 12 of 64 chains have errors whose mean varies by 3 %.
    """
    rng, memory, draws = np.random.default_rng(9), -0.99, 200
    exact = (1 + memory) / (1 - memory) - 2 * memory * (1 - memory**draws) / draws / (
        1 - memory
    ) ** 2
    results = [estimate(autoregressive(rng, memory, 64, draws)) for _ in range(12)]
    expected = math.sqrt(exact / (64 * draws))
    assert np.mean([r.error for r in results]) == pytest.approx(expected, rel=0.15)


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


@pytest.mark.parametrize("chains", [16, 64])
def test_a_hidden_slow_mode_is_a_bound(chains: int) -> None:
    """Fast noise and one hundredth of the variance frozen: the spread of the chains shows it.

    The F-test at 1 % finds a ratio of 21 among 15 degrees of freedom but for 1e-5.
    """
    rng = np.random.default_rng(10)
    series = autoregressive(rng, 0.0, chains, 2000) + 0.1 * rng.normal(size=(chains, 1))
    result = estimate(series)
    assert result.lower_bound
    assert result.reason == "chains differ by more than their draws explain"
    assert 0.01 < result.error * math.sqrt(chains) / 0.1 / 10 < 0.2
    assert result.error == pytest.approx(
        series.mean(axis=1).std(ddof=1) / math.sqrt(chains), rel=0.1
    )


@pytest.mark.parametrize("chains", [1, 2, 3])
def test_few_chains_claim_nothing(chains: int) -> None:
    result = estimate(np.random.default_rng(11).normal(size=(chains, 1000)))
    assert result.lower_bound
    assert "cannot show" in result.reason
    assert result.error == pytest.approx(1 / math.sqrt(1000 * chains), rel=0.5)


@pytest.mark.parametrize("draws", [1, 2, 3, 7, 8])
@pytest.mark.parametrize("chains", [1, 8])
def test_few_draws_are_a_bound(chains: int, draws: int) -> None:
    """Where there are several chains, their spread is the error."""
    samples = np.random.default_rng(12).normal(size=(chains, draws))
    result = estimate(samples)
    assert result.lower_bound
    assert result.mean == pytest.approx(samples.mean())
    if chains > 1:
        assert result.error >= samples.mean(axis=1).std(ddof=1) / math.sqrt(chains) * (1 - 1e-12)
    assert math.isfinite(result.error)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e-20, 1e160, 1e300])
def test_units_do_not_matter(scale: float) -> None:
    samples = autoregressive(np.random.default_rng(13), 0.5, 8, 500) + 3
    one, other = estimate(samples), estimate(samples * scale)
    assert other.mean == pytest.approx(one.mean * scale, rel=1e-12)
    assert other.error == pytest.approx(one.error * scale, rel=1e-10)
    assert other.tau_int == pytest.approx(one.tau_int, rel=1e-10)
    assert other.lower_bound == one.lower_bound


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_is_no_motion(dtype: type) -> None:
    """A constant but for its last bit."""
    samples = np.full((8, 100), 0.7, dtype)
    samples[:, ::3] = np.nextafter(samples[:, ::3], dtype(1))
    result = estimate(samples)
    assert result.lower_bound
    assert result.reason == "no chain ever moved"
    assert result.mean == pytest.approx(0.7, rel=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_has_no_mean(bad: float) -> None:
    samples = np.zeros((8, 100))
    samples[3, 17] = bad
    result = estimate(samples)
    assert math.isnan(result.mean)
    assert result.lower_bound
    assert result.reason == "1 of 800 draws are not finite"
    assert z_score(result, 0.0) is None


@pytest.mark.parametrize(
    "samples",
    [
        np.ones((8, 100), complex),
        np.array([["a", "b"]]),
        np.ones((8, 0)),
        np.ones((0, 8)),
        np.array(1.0),
    ],
)
def test_what_cannot_be_estimated_is_refused_in_one_line(samples: np.ndarray) -> None:
    with pytest.raises(ValueError, match="an estimate needs real numbers") as refusal:
        estimate(samples)
    assert "\n" not in str(refusal.value)


def test_integers_booleans_and_one_axis_are_analysed() -> None:
    samples = np.random.default_rng(14).integers(0, 2, size=(8, 500))
    assert estimate(samples) == estimate(samples.astype(float)) == estimate(samples.astype(bool))
    assert estimate(samples[0]) == estimate(samples[:1])


def test_axes_are_analysed_entry_by_entry() -> None:
    loops = np.random.default_rng(15).normal(size=(8, 500, 2, 3))
    result = estimate(loops)
    assert np.shape(result.error) == (2, 3)
    alone = estimate(loops[:, :, 1, 2])
    assert tuple(np.asarray(field)[1, 2] for field in result) == tuple(alone)
    named = estimates_of({"loop": loops, "plain": loops[:, :, 0, 0]})
    assert list(named)[-2:] == ["loop[1,2]", "plain"]
    assert named["loop[1,2]"] == alone


def test_a_frozen_leading_observable_makes_bounds_of_all() -> None:
    """The plaquette of two-dimensional U(1) depends on the charge, which did not move."""
    rng = np.random.default_rng(16)
    measured = {"plaquette": rng.normal(size=(16, 500)), "charge": np.zeros((16, 500))}
    assert not estimates_of(measured)["plaquette"].lower_bound
    found = estimates_of(measured, ("charge", "plaquette"))["plaquette"]
    assert found.lower_bound
    assert found.reason == "charge is frozen"
    measured["charge"] = rng.normal(size=(16, 500))
    assert not estimates_of(measured, ("charge", "plaquette"))["plaquette"].lower_bound


def test_chains_that_are_short_for_a_leading_observable_are_not_said_to_be_frozen() -> None:
    """Each charge changes four times in 500 draws."""
    rng = np.random.default_rng(18)
    charge = np.repeat(rng.integers(-3, 4, size=(16, 5)), 100, axis=1)
    measured = {"plaquette": rng.normal(size=(16, 500)), "charge": charge}
    found = estimates_of(measured, ("charge",))
    assert found["plaquette"].reason == "chains are too short for charge"
    assert "frozen" not in found["charge"].reason
    measured["charge"] = np.where(charge == 3, np.nan, charge)
    why = estimates_of(measured, ("charge",))["plaquette"].reason
    assert re.fullmatch(r"charge: \d+ of 8000 draws are not finite", why)


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


def test_r_hat_sees_chains_that_rest_at_the_common_mean() -> None:
    """Half of the chains never move, at the value about which the others do."""
    samples = np.rint(np.random.default_rng(17).normal(size=(16, 1000)))
    samples[8:] = 0
    assert r_hat(samples) > 1.2
    assert estimate(samples).lower_bound


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
