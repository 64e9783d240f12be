"""Tuning HMC: step sizes to an acceptance, trajectory lengths to the cheapest decorrelation."""

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, PyTree

from gaugemc.samplers.driver import chunks
from gaugemc.samplers.hmc import HMC
from gaugemc.samplers.progress import progress_bar

Scalar = Float[Array, ""]


class Candidate(NamedTuple):
    """One point of the tuning grid."""

    trajectory_length: float
    step_size: float
    n_steps: int
    acceptance: float
    jumps: dict[str, float]
    """Mean squared change of each observable from draw to draw, per force evaluation."""


class DualAveraging(NamedTuple):
    """The state of Nesterov's dual averaging on log(step size) (1111.4246, section 3.2)."""

    log_step: Scalar
    log_mean: Scalar
    error: Scalar
    count: Scalar


def _average(state: DualAveraging, acceptance: Scalar, target: float, start: float) -> DualAveraging:
    shrink, delay, decay = 0.05, 10.0, 0.75
    count = state.count + 1
    weight = 1 / (count + delay)
    error = (1 - weight) * state.error + weight * (target - acceptance)
    log_step = np.log(10 * start) - jnp.sqrt(count) / shrink * error
    weight = count**-decay
    return DualAveraging(
        log_step, weight * log_step + (1 - weight) * state.log_mean, error, count
    )


def steps_of(length: Scalar | float, step_size: Scalar, most: int) -> Int[Array, ""]:
    """The number of steps nearest to a trajectory length, between 1 and `most`."""
    return jnp.clip(jnp.round(length / step_size), 1, most).astype(jnp.int32)


@eqx.filter_jit
def tune_step_size(
    sampler: HMC,
    key: Key[Array, ""],
    states: PyTree,
    length: Float[Array, ""],
    target: Float[Array, ""],
    iterations: int,
    most_steps: int,
) -> tuple[Scalar, PyTree]:
    """Adapt the step size so that trajectories of a given length are accepted at `target`.

    All chains share the step size. Returns it and the chains' states (leading axis: chain), which
    are not draws from the target: adaptation breaks detailed balance, so discard them or warm up.
    """
    chains = jax.tree.leaves(states)[0].shape[0]
    start = float(0.1)

    def iteration(carry: tuple[PyTree, DualAveraging], key: Key[Array, ""]):
        states, average = carry
        step_size = jnp.minimum(jnp.exp(average.log_step), length)
        n_steps = steps_of(length, step_size, most_steps)
        kernel = eqx.tree_at(lambda s: (s.step_size, s.n_steps), sampler, (step_size, n_steps))
        states, info = jax.vmap(kernel.step)(jax.random.split(key, chains), states)
        return (states, _average(average, jnp.mean(info.acceptance), target, start)), None

    zero = jnp.zeros((), jnp.float64)
    average = DualAveraging(zero + np.log(start), zero + np.log(start), zero, zero)
    (states, average), _ = jax.lax.scan(
        iteration, (states, average), jax.random.split(key, iterations)
    )
    return jnp.minimum(jnp.exp(average.log_mean), length), states


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

    The best moves the observable that counts farthest per force evaluation: the charge if it
    moves at all for any candidate, else the plaquette, or the first observable that there is.

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
            step_size, states = tune_step_size(
                sampler,
                adapt_key,
                states,
                jnp.asarray(length, jnp.float64),
                jnp.asarray(target, jnp.float64),
                iterations,
                most_steps,
            )
            n_steps = steps_of(length, step_size, most_steps)
            kernel = HMC(sampler.theory, length / n_steps, n_steps, sampler.integrator)
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
                    float(length),
                    float(kernel.step_size),
                    int(n_steps),
                    float(samples.draws.info.acceptance.mean()),
                    jumps,
                )
            )
            report(index + 1, f"length {length:g} acceptance {candidates[-1].acceptance:.2f}")
    best = int(np.argmax([c.jumps[score_of(candidates)] for c in candidates]))
    return tuned[best], candidates, states


def score_of(candidates: Sequence[Candidate]) -> str:
    """The observable by which candidates are compared."""
    names = list(candidates[0].jumps)
    moving = [n for n in ("charge", "plaquette", *names) if n in names]
    return next((n for n in moving if any(c.jumps[n] > 0 for c in candidates)), moving[0])
