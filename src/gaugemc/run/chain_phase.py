"""Running a sampler's chains for a run: tuning, warm-up and draws, resumable at every chunk."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PyTree

from gaugemc.arrays import Field
from gaugemc.chains.driver import Draws, chunks, concatenate
from gaugemc.chains.measurement import Measurement
from gaugemc.chains.progress import progress_bar
from gaugemc.choices.measuring import build_measurement, build_tuning_measurement, judged
from gaugemc.choices.settings import Settings
from gaugemc.io.checkpoint import (
    CheckpointError,
    checkpoint_path,
    load_checkpoint,
    prune,
    read_metadata,
    save_checkpoint,
)
from gaugemc.io.ensemble import write_draws
from gaugemc.mesh import gathered
from gaugemc.run.configurations import continued, last_configurations, new_chains, write_last
from gaugemc.run.run_directory import RunDirectory
from gaugemc.samplers import HMC, Sampler
from gaugemc.samplers.compose import hmc_in, with_hmc
from gaugemc.tuning import Tuning, settle, tune

DRAWS = ".draws"
"""The suffix of a chunk's draws, beside the checkpoint of the states behind the chunk."""


class Phase(NamedTuple):
    """What to run, under what name."""

    name: str
    """Names the checkpoints and the HDF5 file: "evaluate", "hmc" or "hmc-OBSERVABLE"."""
    sampler: Sampler
    draws: int
    warmup: int
    tune: bool
    each: bool = False
    """Whether other observables get a phase of their own where they need another HMC."""
    x: Field | None = None
    """Where each chain of a sampler starts that is tuned; None for `new_chains`, or a tuner's."""
    settled_by: HMC | None = None
    """What brings new chains near equilibrium first, where the sampler would not leave its start.
    """


class Tuned(NamedTuple):
    """A phase's sampler after tuning, and where its chains start."""

    sampler: Sampler
    """The best for the first of the observables that are compared."""
    states: PyTree
    table: list[dict[str, Any]]
    """Of the candidates, for summary.json; empty where nothing was tuned."""
    better: dict[str, Sampler]
    """Of the other observables, those for which another candidate is significantly better."""


class PhaseResult(NamedTuple):
    """The finished chains of a phase."""

    name: str
    """Of the phase."""
    sampler: Sampler
    """As tuned."""
    measurement: Measurement
    draws: Draws
    """Without the warm-up, and each observable on the draws on which it was measured."""
    states: PyTree
    seconds: float
    """Of warm-up and draws, without tuning."""
    tuning: list[dict[str, Any]]
    better: dict[str, Sampler]
    """As of `Tuned`."""


def run_chains(
    settings: Settings,
    directory: RunDirectory,
    phase: Phase,
    start: Field | None,
    key: Key[Array, ""],
) -> PhaseResult:
    """Run a phase to its end, or go on from the last valid checkpoint.

    New chains are those of `new_chains`; after tuning the tuner's chains go on.
    """
    start_key, tune_key, run_key = jax.random.split(key, 3)
    sampler, states, table, better = tuned(settings, directory, phase, start, start_key, tune_key)
    everything = phase.warmup + phase.draws
    chunk = -(-everything // settings.evaluate.chunks)
    measurement = build_measurement(settings, sampler.theory)
    done, seconds, parts = 0, 0.0, []
    newest = directory.newest(phase.name)
    if newest is not None:
        done, states, parts, seconds = restored(newest, phase.name, sampler, states, measurement)
        directory.note(f"{phase.name} goes on from draw {done} ({newest.name})")
    started = time.perf_counter() - seconds
    with progress_bar(phase.name, everything, settings.progress, done) as report:
        for done, samples in chunks(sampler, run_key, states, everything, chunk, done, measurement):
            states = samples.states
            parts.append(samples.draws)
            seconds = time.perf_counter() - started
            directory.confirm()
            path = checkpoint_path(directory.checkpoints, phase.name, done)
            first = done - samples.draws.info.accepted.shape[1]
            save_checkpoint(path.with_suffix(DRAWS), samples.draws, {"first": first})
            save_checkpoint(path, gathered(states), {"draws": done, "seconds": seconds})
            prune(directory.checkpoints, phase.name, 2)
            report(done, f"acceptance {samples.draws.info.acceptance.mean():.2f}")
    directory.confirm()
    kept = jax.tree.map(lambda a: a[:, phase.warmup :], concatenate(parts))
    wanted, in_hdf5 = settings.evaluate.configurations, settings.evaluate.format == "hdf5"
    fields = last_configurations(sampler, states) if wanted else None
    if fields is not None and not in_hdf5:
        write_last(settings, directory, phase.name, fields)
    write_draws(
        directory.chains / f"{phase.name}.h5",
        kept,
        {
            "warmup": phase.warmup,
            "sampler": phase.name,
            "seed": settings.seed,
            "measure_every": settings.evaluate.measure_every,
        },
        fields if in_hdf5 else None,
    )
    measured = measurement.kept(sampler.theory, kept.observables, phase.warmup)
    kept = kept._replace(observables=measured)
    return PhaseResult(phase.name, sampler, measurement, kept, states, seconds, table, better)


def tuned(
    settings: Settings,
    directory: RunDirectory,
    phase: Phase,
    start: Field | None,
    start_key: Key[Array, ""],
    tune_key: Key[Array, ""],
) -> Tuned:
    """Tune a phase's sampler, or read what was found before an interruption.

    Tuning is not a Markov chain, so the chains that follow warm up. They start where the tuner's
    chains are: steps that are tuned in equilibrium are hardly ever accepted at a hot start.
    """
    sampler, hmc = phase.sampler, hmc_in(phase.sampler)
    if phase.x is not None:
        return Tuned(sampler, continued(settings, sampler, phase.x), [], {})
    if phase.settled_by is not None and start is None:
        x = settled(settings, directory, phase.name, phase.settled_by, start_key, tune_key)
        return Tuned(sampler, continued(settings, sampler, x), [], {})
    if not phase.tune or hmc is None:
        return Tuned(sampler, new_chains(settings, start, sampler, start_key), [], {})
    states = new_chains(settings, start, hmc, start_key)
    path: Path = checkpoint_path(directory.checkpoints, f"tune-{phase.name}", 0)
    e = settings.evaluate
    if directory.newest(f"tune-{phase.name}") is None:
        found = tune(
            hmc,
            tune_key,
            states,
            lengths=e.lengths,
            targets=e.targets,
            iterations=e.tune_iterations,
            draws=e.tune_draws,
            doublings=e.tune_doublings,
            most_steps=e.most_steps,
            measurement=build_tuning_measurement(settings, hmc.theory),
            compared=judged(settings, hmc.theory),
            progress=settings.progress,
        )
        if not phase.each:
            found = found._replace(choices=dict([*found.choices.items()][:1]))
        best = found.sampler
        others = {name: found.sampler_for(name) for name in differing(found)}
        save_checkpoint(
            path,
            (best.step_size, best.n_steps, gathered(found.states.x)),
            {
                "tuning": table_of(found),
                "better": {n: [float(s.step_size), int(s.n_steps)] for n, s in others.items()},
            },
        )
    like = hmc.step_size, hmc.n_steps, states.x
    (step_size, n_steps, x), metadata = load_checkpoint(path, like)
    best = with_hmc(sampler, hmc.with_steps(step_size, n_steps))
    better = {
        name: with_hmc(sampler, hmc.with_steps(*steps))
        for name, steps in metadata["better"].items()
    }
    return Tuned(best, continued(settings, best, x), metadata["tuning"], better)


def settled(
    settings: Settings,
    directory: RunDirectory,
    name: str,
    hmc: HMC,
    start_key: Key[Array, ""],
    key: Key[Array, ""],
) -> Field:
    """Where HMC leaves new chains that its steps brought near equilibrium, or left them before."""
    e = settings.evaluate
    states = new_chains(settings, None, hmc, start_key)
    path = checkpoint_path(directory.checkpoints, f"settle-{name}", 0)
    if directory.newest(f"settle-{name}") is None:
        middle = sorted(e.lengths)[len(e.lengths) // 2]
        _, states = settle(
            hmc,
            key,
            states,
            length=middle,
            iterations=e.tune_iterations,
            most_steps=e.most_steps,
            progress=settings.progress,
        )
        save_checkpoint(path, gathered(states.x), {})
    return load_checkpoint(path, states.x)[0]


def differing(tuning: Tuning) -> list[str]:
    """The observables that have another choice than the first one."""
    first, *others = tuning.choices.items()
    return [name for name, choice in others if choice.candidate != first[1].candidate]


def table_of(tuning: Tuning) -> list[dict[str, Any]]:
    """The tuning table of summary.json: what was asked for, what was reached, and the choices."""
    first = next(iter(tuning.choices.values()))
    rows = []
    for index, c in enumerate(tuning.candidates):
        why = {name: o.why for name, o in tuning.choices.items() if o.candidate == index}
        score = c.scores[first.scored_by]
        rows.append(
            {
                "length": c.length,
                "target": c.target,
                "trajectory_length": c.trajectory_length,
                "step_size": c.step_size,
                "n_steps": c.n_steps,
                "acceptance": c.acceptance,
                "miss": c.miss,
                "draws": c.draws,
                "score": score.value,
                "score_error": score.error,
                "scored_by": first.scored_by,
                "scores": {name: s._asdict() for name, s in c.scores.items()},
                "chosen": index == first.candidate,
                "chosen_for": why,
            }
        )
    return rows


def restored(
    path: Path, phase: str, sampler: Sampler, states: PyTree, measurement: Measurement
) -> tuple[int, PyTree, list[Draws], float]:
    """Draws done, states, the draws of all chunks and seconds, from a checkpoint of this phase.

    The draws of a chunk are in a file of their own, written before the states behind the chunk.

    Raises:
        CheckpointError: the draws of a chunk are not there, or damaged.
    """
    done, seconds = described(path, "draws", "seconds")
    chains = jax.tree.leaves(states)[0].shape[0]
    step = jax.vmap(sampler.step, (None, 0))
    _, info = jax.eval_shape(step, jax.random.key(0), states)
    observables = jax.eval_shape(lambda x: measurement(sampler.theory, x, jnp.asarray(0)), states.x)

    parts: list[Draws] = []
    first = done
    while first:
        chunk = checkpoint_path(path.parent, phase, first).with_suffix(DRAWS)
        if not chunk.is_file():
            raise CheckpointError(
                f"{path}: its draws are not in {chunk.name}; go on with the version of gaugemc"
                " that made this run, or remove the checkpoint"
            )
        end = first
        try:
            (first,) = described(chunk, "first")
        except CheckpointError as error:
            problem = f"{error}; remove {path} to go on from the checkpoint before"
            raise CheckpointError(problem) from error

        def column(leaf: jax.ShapeDtypeStruct, length: int = end - first) -> np.ndarray:
            return np.zeros((chains, length, *leaf.shape[1:]), leaf.dtype)

        like = Draws(jax.tree.map(column, observables), jax.tree.map(column, info))
        parts.insert(0, load_checkpoint(chunk, like)[0])
    return done, load_checkpoint(path, states)[0], parts, seconds


def described(path: Path, *keys: str) -> list[Any]:
    """What a file says of the draws in it, or behind it; CheckpointError where it does not."""
    metadata = read_metadata(path)
    missing = [key for key in keys if key not in metadata]
    if missing:
        raise CheckpointError(f"{path}: not of chains (it has no {', '.join(missing)}); remove it")
    return [metadata[key] for key in keys]
