"""Running a sampler's chains for a run: warm-up and draws, resumable at every chunk."""

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
from gaugemc.choices.measuring import build_measurement
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
from gaugemc.run.configurations import last_configurations, write_last
from gaugemc.run.phase_start import Phase, tuned
from gaugemc.run.run_directory import RunDirectory
from gaugemc.samplers import Sampler

DRAWS = ".draws"
"""The suffix of a chunk's draws, beside the checkpoint of the states behind the chunk."""


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
