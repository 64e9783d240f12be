"""Tuning HMC: step sizes to an acceptance, trajectory lengths to the cheapest decorrelation."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key, PyTree

from gaugemc.samplers.driver import chunks
from gaugemc.samplers.hmc import HMC
from gaugemc.samplers.progress import progress_bar


class Candidate(NamedTuple):
    """One point of the tuning grid."""

    trajectory_length: float
    """step_size * n_steps: only near the length asked for, to keep the acceptance asked for."""
    step_size: float
    n_steps: int
    acceptance: float
    jumps: dict[str, float]
    """Mean squared change of each observable from draw to draw, per force evaluation."""


class DualAveraging:
    """Dual averaging of log(step size) towards an acceptance (1111.4246, section 3.2)."""

    def __init__(self, target: float, start: float):
        self._target, self._anchor = target, np.log(10 * start)
        self._log_step = self._log_mean = np.log(start)
        self._error, self._count = 0.0, 0

    @property
    def step_size(self) -> float:
        """The step size to try next."""
        return float(np.exp(self._log_step))

    @property
    def mean(self) -> float:
        """The averaged step size: the result."""
        return float(np.exp(self._log_mean))

    def update(self, acceptance: float) -> None:
        """Learn from the mean acceptance of one trajectory of all chains."""
        shrink, delay, decay = 0.05, 10.0, 0.75
        self._count += 1
        weight = 1 / (self._count + delay)
        self._error += weight * (self._target - acceptance - self._error)
        self._log_step = self._anchor - np.sqrt(self._count) / shrink * self._error
        self._log_mean += self._count**-decay * (self._log_step - self._log_mean)


def with_length(sampler: HMC, length: float, step_size: float, most_steps: int) -> HMC:
    """HMC with as many steps as come nearest to a trajectory length, between 1 and most_steps."""
    n_steps = int(np.clip(round(length / step_size), 1, most_steps))
    return sampler.with_steps(step_size, n_steps)


def tune_step_size(
    sampler: HMC,
    key: Key[Array, ""],
    states: PyTree,
    *,
    length: float,
    target: float,
    iterations: int = 60,
    most_steps: int = 100,
) -> tuple[HMC, PyTree]:
    """Adapt the step size so that trajectories of a given length are accepted at `target`.

    All chains share the step size. Returns the sampler and the chains' states (leading axis:
    chain), which are not draws from the target: adaptation breaks detailed balance.
    """
    average = DualAveraging(target, start=float(sampler.step_size))
    for i in range(iterations):
        kernel = with_length(sampler, length, average.step_size, most_steps)
        (_, samples), *_ = chunks(kernel, jax.random.fold_in(key, i), states, 1, 1)
        states = samples.states
        average.update(float(samples.draws.info.acceptance.mean()))
    return with_length(sampler, length, average.mean, most_steps), states


def tune(
    sampler: HMC,
    key: Key[Array, ""],
    states: PyTree,
    *,
    lengths: Sequence[float] = (0.5, 1.0, 2.0, 4.0),
    targets: Sequence[float] = (0.65, 0.9),
    iterations: int = 60,
    draws: int = 60,
    most_steps: int = 100,
    progress: bool = False,
) -> tuple[HMC, list[Candidate], PyTree]:
    """Try every trajectory length and target acceptance; keep the best.

    The best moves the observable that counts farthest per force evaluation: the first of the
    theory's leading observables that moves at all for any candidate.

    Args:
        sampler: HMC; its step size and number of steps are replaced.
        key: the source of randomness.
        states: states to start from (leading axis: chain).
        lengths: trajectory lengths in units of molecular-dynamics time.
        targets: acceptances.
        iterations: trajectories for adapting each step size.
        draws: trajectories for scoring each candidate.
        most_steps: the most steps that a trajectory may have.
        progress: show a progress bar on stderr.

    Returns:
        The tuned sampler, all candidates, and the chains' states.
    """
    grid = [(length, target) for length in lengths for target in targets]
    tuned: list[HMC] = []
    candidates: list[Candidate] = []
    with progress_bar(f"tuning {sampler.theory.name}"[:20], len(grid), progress) as report:
        for index, (length, target) in enumerate(grid):
            adapt_key, score_key = jax.random.split(jax.random.fold_in(key, index))
            kernel, states = tune_step_size(
                sampler,
                adapt_key,
                states,
                length=length,
                target=target,
                iterations=iterations,
                most_steps=most_steps,
            )
            (_, samples), *_ = chunks(kernel, score_key, states, draws, draws)
            states = samples.states
            forces = samples.draws.info.force_evaluations.mean()
            jumps = {
                name: float(np.mean(np.diff(values, axis=1) ** 2) / forces)
                for name, values in samples.draws.observables.items()
            }
            tuned.append(kernel)
            candidates.append(
                Candidate(
                    float(kernel.step_size * kernel.n_steps),
                    float(kernel.step_size),
                    int(kernel.n_steps),
                    float(samples.draws.info.acceptance.mean()),
                    jumps,
                )
            )
            report(index + 1, f"length {length:g} acceptance {candidates[-1].acceptance:.2f}")
    score = score_of(candidates, sampler.theory.leading)
    best = int(np.argmax([c.jumps[score] for c in candidates]))
    return tuned[best], candidates, states


def score_of(candidates: Sequence[Candidate], leading: Sequence[str] = ()) -> str:
    """The observable by which candidates are compared: the first that moves, leading ones first."""
    names = [*leading, *candidates[0].jumps]
    return next((n for n in names if any(c.jumps[n] > 0 for c in candidates)), names[0])
