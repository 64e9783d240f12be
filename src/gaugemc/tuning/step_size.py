"""Step sizes of HMC: the one that is accepted as often as asked for."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key, PyTree

from gaugemc.chains.driver import chunks
from gaugemc.chains.progress import progress_bar
from gaugemc.samplers.hmc.hmc import HMC

TOLERANCE = 0.05
"""An acceptance this near to its target meets it."""
_CLOSE = 0.02
"""A search ends at an acceptance this near to its target."""
_MEASUREMENTS = 10
"""Step sizes that a search tries, at most."""
_WIDEN = 1.5
"""What a search multiplies the step size by, or divides it, until two of them enclose the target.
"""
_NARROW = 1.02
"""Two step sizes of this ratio are not told apart any further."""


class StepSize(NamedTuple):
    """What a search for a step size found."""

    sampler: HMC
    states: PyTree
    """Of the chains (leading axis: chain): no draws from the target, because the search adapts."""
    limit: str
    """What kept the search from a step size that is accepted as often as asked for, or ""."""


class Tried(NamedTuple):
    """A step size and how often its trajectories were accepted."""

    step_size: float
    acceptance: float


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
) -> StepSize:
    """Find the step size whose trajectories, of about a given length, are accepted at `target`.

    All chains share the step size, so their mean acceptance is nearly free of noise, and a search
    between two step sizes that enclose the target finds the step size in a few measurements. (Dual
    averaging, 1111.4246, is made for the noise of one chain. On many chains it runs through a cycle
    of acceptances 1, 0.95 and 0 about a target of 0.65, and ends at a step size that is accepted at
    0.96.) No step is longer than the trajectory asked for.

    Args:
        sampler: HMC; the search starts from its step size.
        key: the source of randomness.
        states: states to start from (leading axis: chain), near equilibrium: acceptance there is
            what counts.
        length: trajectory length in units of molecular-dynamics time; n_steps * step_size is only
            near the length, to keep the acceptance.
        target: acceptance.
        iterations: trajectories of the search, at most.
        most_steps: the most steps that a trajectory may have.

    Returns:
        The sampler, the chains' states, and what limited the search.
    """
    burst = max(1, iterations // _MEASUREMENTS)

    def acceptance(step_size: float, index: int) -> float:
        nonlocal states
        kernel = with_length(sampler, length, step_size, most_steps)
        (_, samples), *_ = chunks(kernel, jax.random.fold_in(key, index), states, burst, burst)
        states = samples.states
        return float(samples.draws.info.acceptance.mean())

    start = min(float(sampler.step_size), length)
    found, limit = search(acceptance, start, length, target, max(1, iterations // burst))
    return StepSize(with_length(sampler, length, found.step_size, most_steps), states, limit)


def search(
    acceptance: Callable[[float, int], float],
    start: float,
    largest: float,
    target: float,
    measurements: int,
) -> tuple[Tried, str]:
    """The step size, up to a largest one, that is accepted most nearly as often as asked for.

    Args:
        acceptance: measures a step size; its second argument counts the measurements.
        start: the first step size.
        largest: the largest step size that makes sense.
        target: the acceptance asked for.
        measurements: the most measurements.

    Returns:
        The best step size that was tried, and what limited the search ("" where nothing did).
    """
    tried: list[Tried] = []
    low: Tried | None = None  # the largest that is accepted as often as the target, or more often
    high: Tried | None = None  # the smallest above it that is accepted less often
    step_size, limit = start, f"the search ended after {measurements} measurements"
    for index in range(measurements):
        latest = Tried(step_size, acceptance(step_size, index))
        tried.append(latest)
        if latest.acceptance >= target:
            low = latest
        else:
            high = latest
        if abs(latest.acceptance - target) <= _CLOSE:
            limit = ""
            break
        if high is None:
            if step_size >= largest:
                limit = "one step of the whole length is accepted more often"
                break
            step_size = min(_WIDEN * step_size, largest)
        elif low is None:
            step_size /= _WIDEN
        elif high.step_size < _NARROW * low.step_size:
            limit = (
                f"the edge of stability: step size {low.step_size:.4g} is accepted at "
                f"{low.acceptance:.2f}, and {high.step_size:.4g} at {high.acceptance:.2f}"
            )
            break
        else:
            step_size = between(low, high, target)
    if low is None and limit:
        limit = f"accepted less often down to step size {step_size:.2g}"
    # Of step sizes that are accepted equally often (all of a free theory), the largest.
    return min(tried, key=lambda t: (round(abs(t.acceptance - target), 6), -t.step_size)), limit


def between(low: Tried, high: Tried, target: float) -> float:
    """Where the acceptance, linear in the log of the step size, meets the target.

    Kept off the ends, so that the interval always shrinks.
    """
    fraction = (low.acceptance - target) / (low.acceptance - high.acceptance)
    fraction = float(np.clip(fraction, 0.2, 0.8))
    return low.step_size * (high.step_size / low.step_size) ** fraction


def settle(
    sampler: HMC,
    key: Key[Array, ""],
    states: PyTree,
    *,
    length: float,
    iterations: int,
    most_steps: int = 100,
    target: float = 0.9,
    progress: bool = False,
) -> tuple[HMC, PyTree]:
    """Bring chains from their starts towards equilibrium, with a step size that follows them.

    Far from equilibrium (a hot start is) other step sizes are accepted than near equilibrium.

    Returns:
        The sampler with the last step size, and the chains' states.
    """
    step_size = min(float(sampler.step_size), length)
    with progress_bar("settling", iterations, progress) as report:
        for index in range(iterations):
            kernel = with_length(sampler, length, step_size, most_steps)
            (_, samples), *_ = chunks(kernel, jax.random.fold_in(key, index), states, 1, 1)
            states = samples.states
            accepted = float(samples.draws.info.acceptance.mean())
            step_size = min(step_size * float(np.exp(_GAIN * (accepted - target))), length)
            report(index + 1, f"step size {step_size:.3g}")
    return with_length(sampler, length, step_size, most_steps), states


_GAIN = 0.3
"""How fast log(step size) follows the acceptance. Acceptance falls by 1 to 6 where the log grows by
1, so a gain above 1/3 could oscillate."""


def missed(
    sampler: HMC, limit: str, acceptance: float, error: float, length: float, target: float
) -> str:
    """Why a tuned sampler has not the acceptance or the length asked for; "" where it has both.

    Args:
        sampler: as tuned.
        limit: what limited the search for its step size.
        acceptance: as measured afterwards.
        error: of the acceptance.
        length: the trajectory length asked for.
        target: the acceptance asked for.
    """
    reasons = []
    if abs(acceptance - target) > TOLERANCE + 2 * error:
        reasons.append(limit or "the search measured too little: more evaluate.tune_iterations")
    steps, step_size = int(sampler.n_steps), float(sampler.step_size)
    if length > (steps + 0.5) * step_size * (1 + 1e-9):
        reasons.append(f"length {length:g} takes more than most_steps={steps}")
    return "; ".join(reasons)
