"""Training a run's flow, with checkpoints, a history and quality measurements."""

import dataclasses
import time
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Key

from gaugemc.experiment.build import abstract_flow, build_flow, build_theory
from gaugemc.experiment.run_directory import RunDirectory, RunDirectoryError
from gaugemc.experiment.settings import Settings, SettingsError
from gaugemc.experiment.tracker import tracking
from gaugemc.flows import Flow
from gaugemc.io.checkpoint import (
    CheckpointError,
    checkpoint_path,
    latest_checkpoint,
    load_checkpoint,
    prune,
    save_checkpoint,
)
from gaugemc.samplers.progress import progress_bar
from gaugemc.theories import Wilson
from gaugemc.training import (
    BetaSchedule,
    LevelKL,
    Quality,
    ReverseKL,
    TrainingDivergedError,
    TrainingState,
    learning_rates,
    optimiser,
    quality,
    start_training,
    train,
)
from gaugemc.training.schedule import Annealing

COLUMNS = (
    "step",
    "seconds",
    "beta",
    "loss",
    "kl",
    "ess",
    "charge_squared",
    "gradient_norm",
    "learning_rate",
)

Schedule = Literal["constant", "cosine"]


class Trained(NamedTuple):
    """The trained flow, and the numbers of its training."""

    flow: Flow
    seconds: float
    steps: int
    quality: Quality


def run_training(
    settings: Settings,
    directory: RunDirectory,
    theory: Wilson,
    key: Key[Array, ""],
    log_partition: float,
) -> Trained:
    """Train, or go on training from the last valid checkpoint, to settings.training.steps."""
    t = settings.training
    init_key, train_key, quality_key = jax.random.split(key, 3)
    schedule = cast(Schedule, t.schedule)  # validated
    annealing = "none" if t.objective == "levels" else cast(Annealing, t.annealing)
    optimise = optimiser(
        t.learning_rate, max(t.steps, 1), schedule=schedule, warmup=t.warmup, clip=t.clip
    )
    rates = learning_rates(t.learning_rate, max(t.steps, 1), schedule, t.warmup)
    beta = BetaSchedule(theory.beta, t.steps, annealing, t.anneal_start, t.anneal_fraction, t.eras)
    state = start_training(build_flow(settings, theory, init_key), optimise)
    rows: list[dict[str, Any]] = []
    seconds = 0.0
    newest = directory.newest("train")
    if newest is None and settings.flow.load is not None:
        flow, source = load_flow(settings, theory)
        directory.note(f"flow loaded from {source}")
        state = start_training(flow, optimise)
        # The run must not depend on the other directory any more.
        first = checkpoint_path(directory.checkpoints, "train", 0)
        save_checkpoint(first, state, {"rows": rows, "seconds": seconds})
    if newest is not None:
        state, metadata = load_checkpoint(newest, state)
        rows, seconds = metadata["rows"], metadata["seconds"]
        directory.note(f"training goes on from step {int(state.step)} ({newest.name})")

    def measure(state: TrainingState, samples: int) -> Quality:
        step_key = jax.random.fold_in(quality_key, state.step)
        return quality(state.model, theory, step_key, samples=samples, log_partition=log_partition)

    objective = (
        LevelKL(theory, t.batch, log_partition)
        if t.objective == "levels"
        else ReverseKL(theory, t.batch, beta)
    )
    last_good = int(state.step)
    measured: Quality | None = None
    started = time.perf_counter() - seconds
    try:
        with (
            progress_bar("training", t.steps, settings.progress, last_good) as report,
            tracking(settings, directory, last_good + 1) as track,
        ):
            for state, metrics in train(objective, optimise, state, train_key, t.steps, t.chunk):
                step = int(state.step)
                due = step == t.steps or step // t.quality_every > last_good // t.quality_every
                measured = measure(state, t.ess_samples) if due else None
                seconds = time.perf_counter() - started
                row = {
                    "step": step,
                    "seconds": seconds,
                    "beta": float(beta(state.step)),
                    "loss": float(np.mean(metrics.loss)),
                    "kl": measured.kl if measured else None,
                    "ess": measured.ess if measured else None,
                    "charge_squared": measured.charge_squared if measured else None,
                    "gradient_norm": float(np.mean(metrics.gradient_norm)),
                    "learning_rate": float(np.asarray(rates(step))),
                }
                rows.append(row)
                save_checkpoint(
                    checkpoint_path(directory.checkpoints, "train", step),
                    state,
                    {"rows": rows, "seconds": seconds},
                )
                prune(directory.checkpoints, "train", t.keep)
                write_metrics(directory, rows)
                track(step, row)
                last_good = step
                seen = next((r for r in reversed(rows) if r["ess"] is not None), None)
                report(
                    step,
                    f"loss {row['loss']:.2f}" + (f" ESS {seen['ess']:.3f}" if seen else ""),
                )
    except TrainingDivergedError as error:
        raise TrainingDivergedError(
            f"{error} (last good checkpoint: step {last_good} in {directory.checkpoints})"
        ) from error
    write_metrics(directory, rows)
    return Trained(state.model, seconds, int(state.step), measured or measure(state, t.ess_samples))


def write_metrics(directory: RunDirectory, rows: list[dict[str, Any]]) -> None:
    """metrics.csv, with empty cells where nothing was measured."""
    lines = [",".join(COLUMNS)]
    for row in rows:
        lines.append(",".join("" if row[c] is None else str(row[c]) for c in COLUMNS))
    directory.write(directory.metrics, "\n".join(lines) + "\n")


def load_flow(settings: Settings, theory: Wilson) -> tuple[Flow, Path]:
    """The trained flow of the run `flow.load`, perhaps of another lattice, and its checkpoint.

    Raises:
        SettingsError: there is no trained flow, or it has another architecture.
    """
    directory = RunDirectory(settings.flow.load or "")
    t = settings.training
    try:
        lattice = directory.settings().theory.lattice
        source = dataclasses.replace(
            settings, theory=dataclasses.replace(settings.theory, lattice=lattice)
        )
        like = eqx.filter_eval_shape(
            start_training,
            abstract_flow(source, build_theory(source)),
            optimiser(t.learning_rate, max(t.steps, 1)),
        )
        newest = latest_checkpoint(directory.checkpoints, "train")
        if newest is None:
            raise RunDirectoryError(f"{directory.checkpoints} holds no valid training checkpoint")
        return load_checkpoint(newest, like)[0].model.on(theory.space.lattice), newest
    except (CheckpointError, RunDirectoryError, ValueError) as error:
        raise SettingsError("flow.load", directory.path, str(error)) from error
