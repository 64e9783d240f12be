"""Training what a run's sampler needs, with checkpoints, a history and measures of quality."""

import dataclasses
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Key

from gaugemc.chains.progress import progress_bar
from gaugemc.choices.build import Model, abstract_model
from gaugemc.choices.choice import Track
from gaugemc.choices.loading import misfit
from gaugemc.choices.option import SettingsError
from gaugemc.choices.traits import has_jumps, load_key
from gaugemc.io.checkpoint import (
    CheckpointError,
    checkpoint_path,
    latest_checkpoint,
    load_checkpoint,
    prune,
    save_checkpoint,
)
from gaugemc.run.best import Best, load_best, save_best, settle
from gaugemc.run.run_directory import RunDirectory, RunDirectoryError
from gaugemc.run.shipped import is_shipped, trained_run
from gaugemc.run.trainee import Trainee, build_trainee
from gaugemc.training import (
    Plateau,
    TrainingDivergedError,
    TrainingState,
    plateau_scale,
)
from gaugemc.training.engine import Engine
from gaugemc.training.noise import NoiseWatch, noise_watch
from gaugemc.training.schedule import Descent, Rates, usual_rate

FIRST_COLUMNS = ("step", "seconds", "beta", "loss")
LAST_COLUMNS = ("gradient_norm", "learning_rate")
"""Of metrics.csv, before and after those of what is trained."""


class Trained(NamedTuple):
    """The trained model, and the numbers of its training."""

    model: Model
    numbers: dict[str, Any]
    """The section of summary.json: steps, seconds, quality of the model and of the last one."""


def untracked(first_step: int) -> Track:
    """Nobody tracks."""
    return lambda step, row: None


def run_training(
    trainee: Trainee,
    directory: RunDirectory,
    key: Key[Array, ""],
    engine: Engine,
    tracking: Callable[[int], Track] = untracked,
) -> Trained:
    """Train, or go on training from the last valid checkpoint, to settings.training.steps.

    The model is the last one, or that of the best measured quality if the last one is worse.
    `tracking` is told the first step, and gives what tracks the rows of metrics.csv.
    """
    settings = trainee.settings
    t = settings.training
    init_key, train_key, quality_key, chain_key = jax.random.split(key, 4)
    descent = descent_of(trainee)
    rates = jax.jit(descent.rates)
    newest = directory.newest("train")
    loaded = load_model(trainee) if newest is None and trainee.load is not None else None
    started = time.perf_counter()
    if loaded is None:
        state = trainee.start(descent.in_jax, init_key, chain_key)
    else:
        state = trainee.start_with(loaded[0], descent.in_jax, chain_key)
    seconds = time.perf_counter() - started if t.steps else 0.0  # some objectives warm chains up
    columns = (*FIRST_COLUMNS, *trainee.columns, *LAST_COLUMNS)
    rows: list[dict[str, Any]] = []
    watch = noise_watch(t.steps, t.clip if has_jumps(settings) else math.inf)  # only if clipped
    if loaded is not None:
        directory.note(f"training starts from {loaded[1]}")
        # The run must not depend on the other directory any more.
        first = checkpoint_path(directory.checkpoints, "train", 0)
        save_checkpoint(first, state, {"rows": rows, "seconds": seconds})
    if newest is not None:
        fresh = state.model
        state, metadata = load_checkpoint(newest, state)
        check_finite(newest, state.model)
        if trainee.load is None:
            check_untrained(newest, state.model, fresh)
        rows, seconds = metadata["rows"], metadata["seconds"]
        if "noise" in metadata:
            watch = NoiseWatch.restored(metadata["noise"])
        directory.note(f"training goes on from step {int(state.step)} ({newest.name})")

    best = load_best(directory, state.model)

    def measure(state: TrainingState) -> dict[str, Any]:
        return trainee.measure(state, jax.random.fold_in(quality_key, state.step))

    last_good = int(state.step)
    measured: dict[str, Any] = {}
    started = time.perf_counter() - seconds
    try:
        track = tracking(last_good + 1)
        with progress_bar("training", t.steps, settings.progress, last_good) as report:
            for state, metrics in engine.train(
                trainee.objective, descent, state, train_key, t.steps, t.chunk
            ):
                step = int(state.step)
                due = step == t.steps or step // t.quality_every > last_good // t.quality_every
                measured = measure(state) if due else {}
                candidate = Best(state.model, step, measured)
                if due and trainee.comparable(step) and candidate.beats(best):
                    best = candidate
                    save_best(directory, best)
                quiet, watch = watch.warning is None, watch.after(metrics.gradient_norm)
                if quiet and watch.warning is not None:
                    warn(directory, watch.warning)
                seconds = time.perf_counter() - started
                row = {
                    "step": step,
                    "seconds": seconds,
                    "beta": float(trainee.beta(state.step)),
                    "loss": float(np.mean(metrics.loss)),
                    **{column: measured.get(column) for column in trainee.columns},
                    "gradient_norm": float(np.mean(metrics.gradient_norm)),
                    "learning_rate": float(np.asarray(rates(step)))
                    * plateau_scale(state.optimiser),
                }
                rows.append(row)
                directory.confirm()
                save_checkpoint(
                    checkpoint_path(directory.checkpoints, "train", step),
                    state,
                    {"rows": rows, "seconds": seconds, "noise": watch._asdict()},
                )
                prune(directory.checkpoints, "train", t.keep)
                write_metrics(directory, rows, columns)
                track(step, row)
                last_good = step
                column, label = trainee.headline
                seen = next((r[column] for r in reversed(rows) if r[column] is not None), None)
                report(
                    step,
                    f"loss {row['loss']:.2f}" + ("" if seen is None else f" {label} {seen:.3f}"),
                )
    except TrainingDivergedError as error:
        raise TrainingDivergedError(
            f"{error} (last good checkpoint: step {last_good} in {directory.checkpoints})"
        ) from error
    write_metrics(directory, rows, columns)
    if best is None or best.end is None:
        last = Best(state.model, int(state.step), measured or measure(state))
        key = jax.random.fold_in(quality_key, state.step + 1)  # fresh draws
        best = settle(best, last, lambda m: trainee.measure(state._replace(model=m), key))
        save_best(directory, best)
        if best.warning is not None:
            warn(directory, best.warning)
    return Trained(best.model, numbers_of(best, int(state.step), seconds, watch))


def numbers_of(best: Best, steps: int, seconds: float, watch: NoiseWatch) -> dict[str, Any]:
    """The section of summary.json, from the model that is used."""
    last = {f"last_{name}": value for name, value in (best.last or {}).items()}
    warnings = [text for text in (watch.warning, best.warning) if text is not None]
    return {
        "steps": steps,
        "seconds": seconds,
        **best.measured,
        "best_step": best.step,
        **last,
        "warnings": warnings,
    }


def warn(directory: RunDirectory, warning: str) -> None:
    """Say it on stderr and in the log."""
    print(f"gaugemc: warning: {warning}", file=sys.stderr)
    directory.note(f"warning: {warning}")


def descent_of(trainee: Trainee) -> Descent:
    """The optimiser of a run's settings."""
    t = trainee.settings.training
    steps = max(t.steps, 1)
    return Descent(
        usual_rate(steps) if t.learning_rate is None else t.learning_rate,
        steps,
        schedule=cast(Rates, t.schedule),  # validated
        warmup=t.warmup,
        clip=t.clip,
        plateau=Plateau(t.plateau_factor, t.plateau_window, t.patience, trainee.beta.settled),
        adam=has_jumps(trainee.settings),
    )


def write_metrics(
    directory: RunDirectory, rows: list[dict[str, Any]], columns: Sequence[str]
) -> None:
    """metrics.csv, with empty cells where nothing was measured."""
    lines = [",".join(columns)]
    for row in rows:
        cells = [row.get(column) for column in columns]
        lines.append(",".join("" if cell is None else str(cell) for cell in cells))
    directory.write(directory.metrics, "\n".join(lines) + "\n")


def check_finite(path: Path, model: Model) -> None:
    """Raise CheckpointError unless every parameter is a number."""
    parameters = jax.tree.leaves(eqx.filter(model, eqx.is_inexact_array))
    if not all(np.isfinite(np.asarray(leaf, np.float64)).all() for leaf in parameters):
        raise CheckpointError(f"{path}: a parameter is NaN or infinite")


def check_untrained(path: Path, loaded: Model, fresh: Model) -> None:
    """Raise CheckpointError unless all that is not trained (masks, options) is this run's own."""

    def fixed(model: Model) -> list[tuple[Any, Any]]:
        leaves = jax.tree_util.tree_flatten_with_path(model)[0]
        return [(name, leaf) for name, leaf in leaves if not eqx.is_inexact_array(leaf)]

    for (name, stored), (_, wanted) in zip(fixed(loaded), fixed(fresh), strict=True):
        if not np.array_equal(stored, wanted):
            raise CheckpointError(
                f"{path}: {jax.tree_util.keystr(name)} is not that of these settings:"
                " the checkpoint is of another architecture or seed"
            )


def load_model(trainee: Trainee) -> tuple[Model, Path]:
    """The trained model of the run to start from, on this run's lattice, and its checkpoint.

    Raises:
        SettingsError: there is no trained model, or it has another architecture.
    """
    settings, load = trainee.settings, trainee.load or ""
    directory = trained_run(load, settings.sampler.trains)
    try:
        stored = directory.settings()
        trained_by = stored.training
        if problem := misfit(stored, settings):
            raise ValueError(problem)
        source = dataclasses.replace(
            settings,
            theory=dataclasses.replace(settings.theory, lattice=stored.theory.lattice),
            training=dataclasses.replace(
                settings.training,
                batch=trained_by.batch,
                schedule=trained_by.schedule,
                lattice=trained_by.lattice,
            ),
        )
        trained, key = build_trainee(source), jax.random.key(0)
        damaged: list[str] = []
        newest = latest_checkpoint(directory.checkpoints, "best", damaged.append)
        if newest is not None:
            model = load_checkpoint(newest, abstract_model(source, trained.theory))[0]
        elif damaged:
            found = damaged[0].removeprefix("skipped ")
            last = "remove it to load the last model of the training"
            cure = "install gaugemc again" if is_shipped(load) else last
            raise CheckpointError(f"{found}; {cure}")
        else:  # nothing was measured yet
            newest = latest_checkpoint(directory.checkpoints, "train")
            if newest is None:
                raise RunDirectoryError(
                    f"{directory.checkpoints} holds no valid training checkpoint"
                )
            like = trained.start(descent_of(trained).in_jax, key, key)
            model = load_checkpoint(newest, like)[0].model
        check_finite(newest, model)
        return trainee.carried(model, trainee.theory.space), newest
    except (CheckpointError, RunDirectoryError, ValueError) as error:
        raise SettingsError(load_key(settings), load, str(error)) from error
