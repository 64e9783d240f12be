"""The tuner: short chains at every trajectory length and target acceptance."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key, PyTree

from gaugemc.chains.driver import chunks
from gaugemc.chains.measurement import OWN, Measurement
from gaugemc.chains.progress import progress_bar
from gaugemc.samplers.hmc.hmc import HMC
from gaugemc.tuning.choice import Choice, Rival, choose_for_each, worth_drawing
from gaugemc.tuning.score import Jumps, Score, Series, comparable, score, spread, typical_size
from gaugemc.tuning.step_size import StepSize, missed, settle, tune_step_size


class Candidate(NamedTuple):
    """One point of the tuning grid: what was asked for, and what was reached."""

    length: float
    """Trajectory length asked for."""
    target: float
    """Acceptance asked for."""
    trajectory_length: float
    """step_size * n_steps: only near the length asked for, to keep the acceptance asked for."""
    step_size: float
    n_steps: int
    acceptance: float
    miss: str
    """Why the acceptance or the length asked for was not reached, "" where both were."""
    draws: int
    """Trajectories of each chain that it was scored by."""
    scores: dict[str, Score]
    """Mean squared change of each observable over a cost of its own, per force."""


class Tuning(NamedTuple):
    """What a tuner found."""

    sampler: HMC
    """The best for the first of the observables that are compared."""
    candidates: list[Candidate]
    choices: dict[str, Choice]
    """For each observable that is compared, the best candidate for that observable."""
    states: PyTree
    """Of the chains (leading axis: chain): no draws from the target."""

    def sampler_for(self, name: str) -> HMC:
        """The best sampler for an observable that is compared."""
        chosen = self.candidates[self.choices[name].candidate]
        return self.sampler.with_steps(chosen.step_size, chosen.n_steps)


def middle(lengths: Sequence[float]) -> float:
    """The trajectory length that chains settle with, before any of them is tried."""
    return sorted(lengths)[len(lengths) // 2]


def tune(
    sampler: HMC,
    key: Key[Array, ""],
    states: PyTree,
    *,
    lengths: Sequence[float] = (0.5, 1.0, 2.0, 4.0),
    targets: Sequence[float] = (0.65, 0.9),
    iterations: int = 60,
    draws: int = 60,
    doublings: int = 2,
    most_steps: int = 100,
    measurement: Measurement = OWN,
    compared: Sequence[str] = (),
    beside: float = 0.0,
    progress: bool = False,
) -> Tuning:
    """Try every trajectory length and target acceptance; keep the best for each observable.

    The best moves an observable farthest for its cost, and is only called so where the difference
    is significant. The cost of a draw is that of its forces and of what is `beside` them.
    Candidates that tie are given more draws where these may tell them apart; then the next
    observable decides between them (those that are compared first), and last the cost of an
    accepted trajectory.

    Args:
        sampler: HMC; its step size and number of steps are replaced.
        key: the source of randomness.
        states: states to start from (leading axis: chain).
        lengths: trajectory lengths in units of molecular-dynamics time.
        targets: acceptances.
        iterations: trajectories for finding each step size, at most, and for settling the chains.
        draws: trajectories for scoring a candidate of average cost; others get as many more, or
            less, as they are cheaper, or dearer.
        doublings: how often this number may be doubled for candidates that tie.
        most_steps: the most steps that a trajectory may have.
        measurement: what candidates are scored by; by default the theory's observables.
        compared: observables to choose a candidate for, the most important first; by default the
            theory's leading ones, or the first observable where it names none.
        beside: what a draw costs beside its trajectory, in forces, see `beside_forces`; with 0 the
            best is that per force, and not that per second.
        progress: show a progress bar on stderr.

    Returns:
        The tuned sampler, all candidates, the choice for each observable that is compared, and the
        chains' states.
    """
    grid = [(length, target) for length in lengths for target in targets]
    settle_key, search_key, score_key = jax.random.split(key, 3)
    with progress_bar(f"tuning {sampler.theory.name}"[:20], 2 * len(grid), progress) as report:
        first, states = settle(
            sampler,
            settle_key,
            states,
            length=middle(lengths),
            iterations=iterations,
            most_steps=most_steps,
        )
        found: list[StepSize] = []
        start = dict.fromkeys(targets, first)  # the same acceptance needs about the same step size
        for index, (length, target) in enumerate(grid):
            one = tune_step_size(
                start[target],
                jax.random.fold_in(search_key, index),
                states,
                length=length,
                target=target,
                iterations=iterations,
                most_steps=most_steps,
            )
            states, start[target] = one.states, one.sampler
            found.append(one._replace(states=None))
            report(index + 1, f"length {length:g}, step size {float(one.sampler.step_size):.3g}")
        measured: list[Measured] = []
        costs = [beside + forces_of(one.sampler) for one in found]
        # The dearest is measured twice, and the others change over the cost that it then has.
        budget = max(draws * sum(costs) / len(costs), 2 * measurement.every * max(costs))
        for index, one in enumerate(found):  # all from the same states: none has an older start
            count = max(2, round(budget / costs[index]))
            draw_key = jax.random.fold_in(score_key, index)
            measured.append(
                measure(one.sampler, draw_key, states, count, measurement, costs[index])
            )
            report(len(grid) + index + 1, f"acceptance {measured[-1].acceptance.mean():.2f}")
        states = measured[-1].states
        names = list(measured[0].series)
        wanted = compared or sampler.theory.leading
        compared = [name for name in wanted if name in names] or names[:1]
        for done in range(doublings):
            rivals = rivals_of(measured)
            near = {i for name in compared for i in worth_drawing(rivals, name, doublings - done)}
            start_states = states
            for index in sorted(near):
                count = measured[index].acceptance.shape[1]
                draw_key = jax.random.fold_in(score_key, (1 + done) * len(grid) + index)
                more = measure(
                    found[index].sampler, draw_key, start_states, count, measurement, costs[index]
                )
                measured[index], states = added(measured[index], more), more.states
                report(2 * len(grid), f"{2 * count} draws of candidate {index + 1}")
    rivals = rivals_of(measured)
    choices = choose_for_each(rivals, compared, names)
    scores = scores_of(rivals)
    candidates = [
        candidate(asked, one, m, s) for asked, one, m, s in zip(grid, found, measured, scores)
    ]
    best = found[choices[compared[0]].candidate].sampler
    return Tuning(best, candidates, choices, states)


class Measured(NamedTuple):
    """The draws that a candidate is scored by."""

    series: dict[str, Series]
    """By observable."""
    cost: float
    """Of a draw, in forces."""
    acceptance: np.ndarray
    """[chain, draw]."""
    states: PyTree


def forces_of(sampler: HMC) -> float:
    """Force evaluations of a draw."""
    return float(sampler.n_steps * sampler.integrator.forces_per_step)


def measure(
    sampler: HMC,
    key: Key[Array, ""],
    states: PyTree,
    draws: int,
    measurement: Measurement,
    cost: float,
) -> Measured:
    """Draw from a candidate."""
    (_, samples), *_ = chunks(sampler, key, states, draws, draws, measurement=measurement)
    theory = sampler.theory
    series = {
        name: Series([values], cost * between, between == 1)
        for name, values in measurement.kept(theory, samples.draws.observables, 0).items()
        for between in [measurement.draws_between(theory, name)]
    }
    return Measured(series, cost, np.asarray(samples.draws.info.acceptance), samples.states)


def added(first: Measured, more: Measured) -> Measured:
    """Two sets of draws of a candidate as one."""
    series = {
        name: one._replace(parts=one.parts + more.series[name].parts)
        for name, one in first.series.items()
    }
    acceptance = np.concatenate([first.acceptance, more.acceptance], axis=1)
    return first._replace(series=series, acceptance=acceptance)


def rivals_of(measured: Sequence[Measured]) -> list[Rival]:
    """The candidates as the choice sees them."""
    jumps = {name: comparable([m.series[name] for m in measured]) for name in measured[0].series}
    accepted = [float(m.acceptance.mean()) for m in measured]
    costs = [m.cost / a if a > 0 else float("inf") for m, a in zip(measured, accepted)]
    return [Rival({n: j[i] for n, j in jumps.items()}, cost) for i, cost in enumerate(costs)]


def scores_of(rivals: Sequence[Rival]) -> list[dict[str, Score]]:
    """The scores of all candidates in all observables."""
    sizes = {name: typical_size([r.jumps[name] for r in rivals]) for name in rivals[0].jumps}
    return [{name: score(j, sizes[name]) for name, j in r.jumps.items()} for r in rivals]


def candidate(
    asked: tuple[float, float], found: StepSize, measured: Measured, scores: dict[str, Score]
) -> Candidate:
    """The row of the tuning grid."""
    (length, target), sampler = asked, found.sampler
    acceptance = float(measured.acceptance.mean())
    error = spread(Jumps(measured.acceptance, 1.0, 1.0).blocks)
    step_size, n_steps = float(sampler.step_size), int(sampler.n_steps)
    return Candidate(
        length,
        target,
        step_size * n_steps,
        step_size,
        n_steps,
        acceptance,
        missed(sampler, found.limit, acceptance, error, length, target),
        measured.acceptance.shape[1],
        scores,
    )
