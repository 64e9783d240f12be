"""Burn-in of made-up histories whose burn-in is known."""

import numpy as np
import pytest

from gaugemc.statistics.burn_in import burn_in

CHAINS, DRAWS = 8, 400


def noise(seed: int, chains: int = CHAINS) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(chains, DRAWS))


@pytest.mark.parametrize("time", [3.0, 10.0, 30.0])
def test_an_exponential_approach_ends_where_it_is_lost_in_the_errors(time: float) -> None:
    """Hot and cold chains begin 200 apart; the errors of 40 draws of 4 and 4 chains are 0.1."""
    found = burn_in(distance(time) + noise(1), CHAINS // 2)
    assert found is not None
    remaining = 200 * np.exp(-(found + np.arange(DRAWS // 10)) / time).mean()
    assert 0.02 < remaining < 1.0


def distance(time: float) -> np.ndarray:
    start = np.repeat([100.0, -100.0], CHAINS // 2)[:, None]
    return start * np.exp(-np.arange(DRAWS) / time)


def test_chains_of_one_ensemble_need_none_but_for_one_in_twenty() -> None:
    late = sum(burn_in(noise(seed), CHAINS // 2) != 0 for seed in range(200))
    assert late <= 20


@pytest.mark.parametrize(
    "history",
    [
        pytest.param(distance(1e4) + noise(2), id="too slow"),
        pytest.param(np.repeat([1.0, 0.0], CHAINS // 2)[:, None] + 0 * noise(2), id="frozen apart"),
        pytest.param(np.repeat([1.0, 0.0], CHAINS // 2)[:, None] * noise(3), id="cold ones rest"),
    ],
)
def test_no_agreement_is_no_burn_in(history: np.ndarray) -> None:
    """Of the last the means agree: only the distances from the median differ."""
    assert burn_in(history, CHAINS // 2) is None


def test_frozen_charges_are_no_agreement() -> None:
    """Hot chains freeze at charges of width 1: in 1 of 20 cases all at 0, like the cold ones."""
    blind = 0
    for seed in range(100):
        charges = np.round(np.random.default_rng(seed).normal(size=CHAINS // 2))
        history = np.repeat(np.append(charges, np.zeros(CHAINS // 2)), DRAWS).reshape(CHAINS, DRAWS)
        blind += burn_in(history, CHAINS // 2) is not None
        assert (burn_in(history, CHAINS // 2) is None) == bool(charges.any())
    assert blind < 10


def test_a_difference_that_comes_back_counts() -> None:
    history = noise(4)
    history[: CHAINS // 2, 200:210] += 30
    assert 200 < (burn_in(history, CHAINS // 2) or 0) <= 210


def test_chains_that_rest_at_one_value_agree() -> None:
    assert burn_in(np.full((5, 20), 0.1, np.float32), 3) == 0
