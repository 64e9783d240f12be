"""Tuning HMC: step sizes that reach an acceptance, or say why not, and choices without noise."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.chains import Measurement, sample
from gaugemc.chains.driver import start_chains
from gaugemc.flows import Chain
from gaugemc.groups import SUN, U1
from gaugemc.samplers import HMC, OMELYAN
from gaugemc.spaces import Links
from gaugemc.theories import Gaussian, Pullback, Wilson
from gaugemc.tuning import beside_forces, tune, tune_step_size
from gaugemc.tuning.choice import Rival, choose, choose_for_each, ties, worth_drawing
from gaugemc.tuning.score import Series, changes, comparable, deviation, score, typical_size
from gaugemc.tuning.step_size import missed, search, settle, with_length
from gaugemc.tuning.tune import measure

THEORY = Gaussian(jnp.zeros(64), jnp.eye(64))
"""Every trajectory of HMC has the period 2 pi."""
ASKED = ("one", "two")
CHAINS, DRAWS = 64, 60


# Step sizes.


@pytest.mark.parametrize("target", [0.65, 0.9])
def test_the_tuned_step_size_has_the_acceptance(target: float, key: jax.Array) -> None:
    """Measured on 64 x 100 draws, whose mean has an error below 0.005."""
    start_key, tune_key, run_key = jax.random.split(key, 3)
    first = HMC(THEORY, 0.1, 10)
    states = start_chains(first, start_key, 64)
    tuned, states, limit = tune_step_size(
        first, tune_key, states, length=1.5, target=target, iterations=60
    )
    assert limit == ""
    draws = sample(tuned, run_key, draws=100, warmup=0, states=states).draws
    assert draws.info.acceptance.mean() == pytest.approx(target, abs=0.05)
    assert float(tuned.step_size * tuned.n_steps) == pytest.approx(1.5, rel=0.5)


def test_a_low_target_is_met_where_acceptance_falls_steeply(key: jax.Array) -> None:
    """0.65 of long trajectories on links, where dual averaging ended at 0.96."""
    theory = Wilson(Links(U1(), (8, 8), jnp.float32), 6.0)
    first = HMC(theory, 0.1, 10, OMELYAN)
    keys = jax.random.split(key, 4)
    states = start_chains(first, keys[0], 64)
    settled, states = settle(first, keys[1], states, length=2.0, iterations=60)
    tuned, states, limit = tune_step_size(settled, keys[2], states, length=4.0, target=0.65)
    draws = sample(tuned, keys[3], draws=40, warmup=0, states=states).draws
    assert limit == ""
    assert draws.info.acceptance.mean() == pytest.approx(0.65, abs=0.06)
    assert float(tuned.step_size * tuned.n_steps) == pytest.approx(4.0, rel=0.1)


def test_with_length_takes_the_nearest_number_of_steps() -> None:
    first = HMC(THEORY, 0.1, 10)
    assert int(with_length(first, 1.0, 0.24, 100).n_steps) == 4
    assert int(with_length(first, 1.0, 0.01, 50).n_steps) == 50
    assert int(with_length(first, 1.0, 7.0, 50).n_steps) == 1


def smooth(step_size: float, _: int) -> float:
    return math.exp(-step_size)


@pytest.mark.parametrize("start", [1e-4, 0.4, 40.0])
def test_a_search_encloses_its_target(start: float) -> None:
    found, limit = search(smooth, start, 100.0, 0.65, 60)
    assert limit == ""
    assert found.acceptance == pytest.approx(0.65, abs=0.02)


SEARCHES: list[tuple[Callable[[float, int], float], float, int, float, str]] = [
    (lambda step, _: 1.0, 2.0, 10, 2.0, "one step of the whole length is accepted more often"),
    (
        lambda step, _: 0.93 * (step < 0.7),
        9.0,
        30,
        0.7,
        r"edge of stability: .* at 0\.93, .* 0\.00",
    ),
    (lambda step, _: 0.0, 9.0, 10, 0.0, "accepted less often down to step size"),
    (smooth, 9.0, 2, 0.15, "the search ended after 2 measurements"),
]


@pytest.mark.parametrize(
    ("acceptance", "largest", "measurements", "step_size", "reason"),
    SEARCHES,
    ids=["free", "edge", "frozen", "short"],
)
def test_a_search_that_fails_says_why(
    acceptance: Callable[[float, int], float],
    largest: float,
    measurements: int,
    step_size: float,
    reason: str,
) -> None:
    """No step is longer than the trajectory, the edge is found to 2 %."""
    found, limit = search(acceptance, 0.1, largest, 0.65, measurements)
    assert found.step_size == pytest.approx(step_size, rel=0.02, abs=0.1 * (step_size == 0))
    assert found.step_size <= largest
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(limit)


def test_a_miss_is_explained() -> None:
    sampler = HMC(THEORY, 0.25, 4)
    assert missed(sampler, "", 0.68, 0.01, 1.0, 0.65) == ""
    assert missed(sampler, "some edge", 0.68, 0.01, 1.0, 0.65) == ""
    assert missed(sampler, "some edge", 0.93, 0.01, 1.0, 0.65) == "some edge"
    assert "evaluate.tune_iterations" in missed(sampler, "", 0.93, 0.01, 1.0, 0.65)
    assert missed(sampler, "", 0.93, 0.2, 1.0, 0.65) == ""
    assert "more than most_steps=4" in missed(sampler, "", 0.65, 0.01, 2.0, 0.65)


def test_a_free_theory_gets_steps_no_longer_than_its_trajectories(key: jax.Array) -> None:
    """At beta = 0 nothing is rejected: whatever searches for a rejection would never end."""
    theory = Wilson(Links(U1(), (4, 4)), 0.0)
    first = HMC(theory, 0.1, 10, OMELYAN)
    states = start_chains(first, key, 16)
    found = tune(first, key, states, lengths=[0.5, 2.0], iterations=10, draws=10)
    for c in found.candidates:
        assert c.step_size == c.trajectory_length == c.length
        assert c.acceptance == pytest.approx(1, abs=1e-12)
        assert c.miss == "one step of the whole length is accepted more often"


# Scores.


def rare(rng: np.random.Generator, jumps: int) -> Series:
    """A charge that changes by one in so many draws of all chains, 4 forces a draw."""
    changed = np.zeros(CHAINS * DRAWS)
    changed[rng.choice(changed.size, jumps, replace=False)] = rng.choice([-1, 1], jumps)
    return Series([changed.reshape(CHAINS, DRAWS).cumsum(axis=1)], 4.0)


def noisy(rng: np.random.Generator, memory: float, forces: float, draws: int = DRAWS) -> Series:
    """An autoregressive series of variance 1."""
    series = np.empty((CHAINS, draws))
    series[:, 0] = rng.normal(size=CHAINS)
    for t in range(1, draws):
        fresh = math.sqrt(1 - memory**2) * rng.normal(size=CHAINS)
        series[:, t] = memory * series[:, t - 1] + fresh
    return Series([series], forces)


def rivals(**observables: list[Series]) -> list[Rival]:
    """Candidates with these observables; the later, the cheaper."""
    jumps = {name: comparable(series) for name, series in observables.items()}
    count = len(next(iter(jumps.values())))
    return [Rival({n: j[i] for n, j in jumps.items()}, 10.0 - i) for i in range(count)]


def test_a_rare_jump_has_an_error_and_so_has_none() -> None:
    rng = np.random.default_rng(1)
    jumps = comparable([rare(rng, 0), rare(rng, 4)])
    size = typical_size(jumps)
    assert size == 1
    none, four = (score(j, size) for j in jumps)
    assert none.value == 0
    assert none.error > 0
    assert four.error > four.value / math.sqrt(4)


@pytest.mark.parametrize("count", [1, 3, 7])
def test_few_jumps_are_hardly_more_than_none(count: int) -> None:
    """The error of n against 0 is that of both numbers, each one more than was seen."""
    rng = np.random.default_rng(count)
    some, none = jumps = comparable([rare(rng, count), rare(rng, 0)])
    assert 0 < deviation(some, none, typical_size(jumps)) <= count / math.sqrt(count + 2)


@pytest.mark.parametrize("seed", range(4))
def test_rare_events_choose_nothing(seed: int) -> None:
    """0 to 7 jumps of a charge are noise; the plaquette is clearly best for the third."""
    rng = np.random.default_rng(seed)
    charge = [rare(rng, jumps) for jumps in (7, 0, 2, 3)]
    plaquette = [noisy(rng, memory, 4.0) for memory in (0.95, 0.9, 0.2, 0.9)]
    candidates = rivals(one=charge, two=plaquette)
    assert ties(candidates, "one") == [0, 1, 2, 3]
    choice = choose(candidates, ASKED)
    assert choice.candidate == 2
    assert choice.scored_by == "two"
    assert choice.why == "one: no significant best; two: best of 4"


def test_many_jumps_do_choose() -> None:
    rng = np.random.default_rng(2)
    candidates = rivals(one=[rare(rng, jumps) for jumps in (3, 60, 5)])
    assert ties(candidates, "one") == [1]
    assert choose(candidates, ["one"]).candidate == 1


def test_equal_candidates_tie() -> None:
    """Each pair is a false alarm in 1.2 % of cases: of 200 more than 9 in 3e-4."""
    rng = np.random.default_rng(3)
    pairs = [rivals(one=[noisy(rng, 0.8, 4.0), noisy(rng, 0.8, 4.0)]) for _ in range(200)]
    assert sum(len(ties(pair, "one")) < 2 for pair in pairs) <= 9


def test_a_charge_that_jumps_back_has_not_moved() -> None:
    """One candidate hops to and fro, the other diffuses with a third of the jumps a draw."""
    rng = np.random.default_rng(4)
    hops = Series([(rng.random((CHAINS, DRAWS)) < 0.5).astype(float)], 4.0)
    steps = rng.choice([-1.0, 0, 0, 0, 0, 1.0], size=(CHAINS, DRAWS))
    walk = Series([steps.cumsum(axis=1)], 4.0)
    one_draw = [changes(series, 4.0).value for series in (hops, walk)]
    assert one_draw[0] > one_draw[1]
    assert ties(rivals(one=[hops, walk]), "one") == [1]


def test_candidates_of_other_costs_are_compared_at_the_same_cost() -> None:
    """A draw of four times the forces that decorrelates as four draws do: the same efficiency."""
    rng = np.random.default_rng(5)
    cheap, dear = noisy(rng, 0.9, 2.0, 400), noisy(rng, 0.9**4, 8.0, 100)
    jumps = comparable([cheap, dear])
    assert jumps[0].cost == jumps[1].cost
    size = typical_size(jumps)
    a, b = (score(j, size) for j in jumps)
    assert abs(a.value - b.value) < 4 * math.hypot(a.error, b.error)
    assert a.error < 0.1 * a.value
    assert ties(rivals(one=[cheap, noisy(rng, 0.9, 8.0, 100)]), "one") == [0]


@pytest.mark.parametrize("every", [1, 4, 10])
def test_long_trajectories_are_not_worse_for_what_is_measured_seldom(every: int) -> None:
    """Draws of 10 to 90 forces, all of which forget in 280: as good as each other."""
    rng, forces = np.random.default_rng(6), (10.0, 20.0, 45.0, 90.0)
    budget = max(30 * sum(forces) / 4, 2 * every * max(forces))

    def scores() -> list[float]:
        drawn = [noisy(rng, math.exp(-f / 280), f, round(budget / f)) for f in forces]
        seen = [s.parts[0][:, every - 1 :: every] for s in drawn]
        seldom = [Series([x], f * every, every == 1) for x, f in zip(seen, forces)]
        return [jumps.value for jumps in comparable(seldom)]

    found = np.array([scores() for _ in range(20)])
    error = found.std(axis=0) / math.sqrt(len(found))
    assert error.max() < 0.1 * found.mean()
    assert np.all(np.abs(found.mean(axis=0) - found.mean()) < 4 * error)


def test_changes_are_interpolated_between_draws() -> None:
    """Of x = t the squared changes over 2 and 3 draws are 4 and 9."""
    line = Series([np.arange(10.0)[None]], 4.0)
    assert changes(line, 8.0).squares.tolist() == [[4.0] * 8]
    assert changes(line, 10.0).squares.tolist() == [[6.5] * 7]
    assert changes(line, 1.0).squares.tolist() == [[0.25] * 9]
    assert changes(Series([np.arange(10.0)[None]] * 2, 4.0), 8.0).squares.size == 16
    axes = Series([np.stack([np.arange(10.0), np.zeros(10)], axis=1)[None]], 4.0)
    assert changes(axes, 8.0).squares.tolist() == [[2.0] * 8]


def test_a_nan_says_nothing() -> None:
    values = np.array([[0.0, 1.0, np.nan, 3.0, 4.0]])
    assert changes(Series([values], 1.0), 1.0).squares.tolist() == [[1.0, 0.0, 0.0, 1.0]]


# Choices.


def test_what_nothing_tells_apart_is_chosen_by_its_cost() -> None:
    still = [Series([np.zeros((CHAINS, DRAWS))], 4.0)] * 3
    choice = choose(rivals(one=still), ["one"])
    assert choice.candidate == 2
    assert choice.why == "one: never changed; the cheapest accepted trajectory of these"


def test_more_draws_are_for_those_that_they_may_tell_apart() -> None:
    rng = np.random.default_rng(6)
    near = rivals(one=[noisy(rng, memory, 4.0) for memory in (0.5, 0.57, 0.95)])
    assert worth_drawing(near, "one", 2) == [0, 1]
    far = rivals(one=[noisy(rng, memory, 4.0) for memory in (0.3, 0.95)])
    assert worth_drawing(far, "one", 2) == []
    assert worth_drawing(rivals(one=[noisy(rng, 0.5, 4.0)]), "one", 2) == []
    still = [Series([np.zeros((CHAINS, DRAWS))], 4.0)] * 3
    assert worth_drawing(rivals(one=still), "one", 2) == []


def test_each_observable_gets_its_own_candidate_where_they_really_differ() -> None:
    rng = np.random.default_rng(7)

    def slow_and_fast(*memories: float) -> list[Series]:
        return [noisy(rng, memory, 4.0) for memory in memories]

    opposed = rivals(one=slow_and_fast(0.2, 0.9), two=slow_and_fast(0.9, 0.2))
    choices = choose_for_each(opposed, ASKED, ASKED)
    assert [choices[name].candidate for name in ASKED] == [0, 1]
    assert choices["two"].scored_by == "two"
    agreed = rivals(one=slow_and_fast(0.2, 0.9), two=slow_and_fast(0.5, 0.5))
    choices = choose_for_each(agreed, ASKED, ASKED)
    assert [choices[name].candidate for name in ASKED] == [0, 0]
    assert choices["two"].why == "two: the choice for one ties the best"


# The tuner.


def test_tune_prefers_the_candidate_that_moves_farther(key: jax.Array) -> None:
    """A quarter of the period forgets the start; the whole period comes back to it."""
    start_key, tune_key = jax.random.split(key)
    first = HMC(THEORY, 0.1, 10)
    states = start_chains(first, start_key, 64)
    found = tune(
        first, tune_key, states, lengths=[6.2, 1.6], targets=[0.9], iterations=30, draws=30
    )
    back, quarter = found.candidates
    assert (back.length, quarter.length) == (6.2, 1.6)
    assert back.trajectory_length == pytest.approx(6.2, rel=0.1)
    assert quarter.trajectory_length == pytest.approx(1.6, rel=0.25)
    assert quarter.scores["mean"].value > 4 * back.scores["mean"].value
    assert quarter.draws > back.draws  # of the same number of forces
    assert float(found.sampler.step_size) == quarter.step_size
    assert int(found.sampler.n_steps) == quarter.n_steps
    assert int(found.sampler_for("widest").n_steps) == quarter.n_steps
    assert jax.tree.leaves(found.states)[0].shape[0] == 64


def test_what_is_measured_on_every_third_draw_costs_three(key: jax.Array) -> None:
    """Q^2 is Q squared on these draws, and is scored over the cost between them."""
    sampler = HMC(Wilson(Links(U1(), (4, 4)), 1.0), 0.2, 5)
    states = start_chains(sampler, key, 4)
    found = measure(sampler, key, states, 12, Measurement(every=3), 5.0).series
    charge, squared = found["charge"], found["charge_squared"]
    assert (charge.cost, squared.cost) == (5.0, 15.0)
    np.testing.assert_array_equal(squared.parts[0], charge.parts[0][:, 2::3] ** 2)


def test_tune_chooses_for_what_it_is_asked(key: jax.Array) -> None:
    first = HMC(THEORY, 0.1, 10)
    states = start_chains(first, key, 16)
    options: dict[str, Any] = {"lengths": [1.5], "targets": [0.9], "iterations": 4, "draws": 4}
    assert list(tune(first, key, states, **options).choices) == list(THEORY.leading)
    found = tune(first, key, states, compared=("widest", "unknown"), **options)
    assert list(found.choices) == ["widest"]
    dear = tune(first, key, states, measurement=Measurement(every=5), **options)
    assert dear.candidates[0].draws >= 10  # two measurements at least


def test_what_is_beside_the_forces_of_a_draw_counts(key: jax.Array) -> None:
    first = HMC(THEORY, 0.1, 10)
    states = start_chains(first, key, 16)
    options: dict[str, Any] = {"lengths": [1.5], "targets": [0.9], "iterations": 4, "draws": 8}
    (alone,), (beside,) = (
        tune(first, key, states, beside=b, **options).candidates for b in (0.0, 30.0)
    )
    assert alone.n_steps == beside.n_steps
    share = alone.n_steps / (alone.n_steps + 30)
    for name, found in alone.scores.items():
        assert beside.scores[name].value == pytest.approx(share * found.value)


def test_a_force_is_dear_beside_which_little_counts() -> None:
    links = Links(U1(), (4, 4))
    theory = Wilson(links, 1.0)
    flow = Pullback(theory, Chain(()))
    on = [theory, Wilson(Links(SUN(3), (4, 4)), 1.0), THEORY, flow]
    beside = [beside_forces(HMC(t, 0.1, 10)) for t in on]
    assert beside[0] > beside[1] > beside[3] == 0
    assert beside[2] > beside[0]  # a gradient of two numbers


def test_candidates_that_tie_get_more_draws(key: jax.Array) -> None:
    """Twice the same candidate: nothing tells them apart, and the number of draws stays bounded."""
    first = HMC(THEORY, 0.1, 10)
    found = tune(
        first,
        key,
        start_chains(first, key, 16),
        lengths=[1.5, 1.5, 1.5],
        targets=[0.9],
        iterations=10,
        draws=10,
        doublings=3,
    )
    draws = [c.draws for c in found.candidates]
    assert max(draws) > 10
    assert max(draws) <= 8 * 12
