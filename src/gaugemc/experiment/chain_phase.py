"""Running a sampler's chains for a run: tuning, warm-up and draws, resumable at every chunk."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PyTree

from gaugemc.experiment.run_directory import RunDirectory
from gaugemc.experiment.settings import Settings
from gaugemc.io.checkpoint import (
    checkpoint_path,
    load_checkpoint,
    prune,
    read_metadata,
    save_checkpoint,
)
from gaugemc.io.ensemble import write_draws
from gaugemc.samplers import HMC, Sampler, tune
from gaugemc.samplers.compose import hmc_in, with_hmc
from gaugemc.samplers.driver import Draws, chunks, concatenate, start_chains
from gaugemc.samplers.progress import progress_bar
from gaugemc.samplers.tuning import Candidate, score_of


class Phase(NamedTuple):
    """What to run, under what name."""

    name: str
    """Names the checkpoints and the HDF5 file: "evaluate" or "hmc"."""
    sampler: Sampler
    draws: int
    warmup: int
    tune: bool


class Chains(NamedTuple):
    """The finished chains of a phase."""

    sampler: Sampler
    """As tuned."""
    draws: Draws
    """Without the warm-up."""
    states: PyTree
    seconds: float
    """Of warm-up and draws, without tuning."""
    tuning: list[dict[str, Any]]


def run_chains(
    settings: Settings, directory: RunDirectory, phase: Phase, key: Key[Array, ""]
) -> Chains:
    """Run a phase to its end, or go on from the last valid checkpoint."""
    start_key, tune_key, run_key = jax.random.split(key, 3)
    sampler, states, tuning = tuned(settings, directory, phase, start_key, tune_key)
    everything = phase.warmup + phase.draws
    chunk = -(-everything // settings.evaluate.chunks)
    done, seconds, parts = 0, 0.0, []
    newest = directory.newest(phase.name)
    if newest is not None:
        done, states, draws, seconds = restored(newest, sampler, states)
        parts = [draws]
        directory.note(f"{phase.name} goes on from draw {done} ({newest.name})")
    started = time.perf_counter() - seconds
    with progress_bar(phase.name, everything, settings.progress, done) as report:
        for done, samples in chunks(sampler, run_key, states, everything, chunk, done):
            states = samples.states
            parts = [concatenate([*parts, samples.draws])]
            seconds = time.perf_counter() - started
            directory.confirm()
            save_checkpoint(
                checkpoint_path(directory.checkpoints, phase.name, done),
                (states, parts[0]),
                {"draws": done, "seconds": seconds},
            )
            prune(directory.checkpoints, phase.name, 2)
            report(done, f"acceptance {samples.draws.info.acceptance.mean():.2f}")
    directory.confirm()
    kept = jax.tree.map(lambda a: a[:, phase.warmup :], parts[0])
    write_draws(
        directory.chains / f"{phase.name}.h5",
        kept,
        {"warmup": phase.warmup, "sampler": phase.name, "seed": settings.seed},
        configurations(sampler, states) if settings.evaluate.configurations else None,
    )
    return Chains(sampler, kept, states, seconds, tuning)


def tuned(
    settings: Settings,
    directory: RunDirectory,
    phase: Phase,
    start_key: Key[Array, ""],
    tune_key: Key[Array, ""],
) -> tuple[Sampler, PyTree, list[dict[str, Any]]]:
    """The phase's sampler after tuning, with fresh chains and the table of candidates.

    Tuning is not a Markov chain, so the chains that follow start anew (and warm up).
    """
    sampler = phase.sampler
    states = start_chains(sampler, start_key, settings.chains)
    hmc = hmc_in(sampler)
    if not phase.tune or hmc is None:
        return sampler, states, []
    path: Path = checkpoint_path(directory.checkpoints, f"tune-{phase.name}", 0)
    e = settings.evaluate
    if directory.newest(f"tune-{phase.name}") is None:
        best, candidates, _ = tune(
            hmc,
            tune_key,
            start_chains(hmc, start_key, settings.chains),
            lengths=e.lengths,
            targets=e.targets,
            iterations=e.tune_iterations,
            draws=e.tune_draws,
            most_steps=e.most_steps,
            progress=settings.progress,
        )
        score = score_of(candidates, hmc.theory.leading)
        table = [table_row(c, score, best) for c in candidates]
        save_checkpoint(path, (best.step_size, best.n_steps), {"tuning": table})
    (step_size, n_steps), metadata = load_checkpoint(path, (hmc.step_size, hmc.n_steps))
    best = with_hmc(sampler, hmc.with_steps(step_size, n_steps))
    return best, start_chains(best, start_key, settings.chains), metadata["tuning"]


def table_row(candidate: Candidate, score: str, best: HMC) -> dict[str, Any]:
    """One row of the tuning table of summary.json."""
    chosen = candidate.step_size == float(best.step_size) and candidate.n_steps == int(best.n_steps)
    return {
        "trajectory_length": candidate.trajectory_length,
        "step_size": candidate.step_size,
        "n_steps": candidate.n_steps,
        "acceptance": candidate.acceptance,
        "score": candidate.jumps[score],
        "scored_by": score,
        "chosen": chosen,
    }


def restored(path: Path, sampler: Sampler, states: PyTree) -> tuple[int, PyTree, Draws, float]:
    """Draws done, states, draws so far and seconds, from a checkpoint of this phase."""
    metadata = read_metadata(path)
    chains = jax.tree.leaves(states)[0].shape[0]
    shapes = jax.eval_shape(sampler.step, jax.random.key(0), jax.tree.map(lambda a: a[0], states))
    observables = jax.eval_shape(sampler.theory.observables, shapes[0].x)

    def column(leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        return np.zeros((chains, metadata["draws"]), leaf.dtype)

    like = Draws(jax.tree.map(column, observables), jax.tree.map(column, shapes[1]))
    (states, draws), _ = load_checkpoint(path, (states, like))
    return metadata["draws"], states, draws, metadata["seconds"]


def configurations(sampler: Sampler, states: PyTree) -> np.ndarray:
    """The last physical configuration of every chain, [chain, 1, ...]."""
    fields = jax.jit(jax.vmap(lambda x: sampler.theory.configuration(x)))(jnp.asarray(states.x))
    return np.asarray(fields)[:, None]
