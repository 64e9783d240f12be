"""A whole run of L2HMC in this process: its files, interruptions, precisions, other lattices."""

import csv
import json
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from composed import composed

from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.io.checkpoint import (
    CheckpointError,
    latest_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from gaugemc.io.ensemble import read_draws
from gaugemc.run import chain_phase, train_phase
from gaugemc.run.experiment import run
from gaugemc.run.run_directory import RunDirectory
from gaugemc.run.train_phase import descent_of
from gaugemc.run.trainee import build_trainee
from gaugemc.training import TrainingState, plateau_scale

TINY = [
    "sampler=l2hmc",
    "mode=debug",
    "theory.lattice=[4,4]",
    "chains=4",
    "progress=false",
    "network.hidden=[4]",
    "dynamics.n_leapfrog=2",
    "dynamics.network=dense",
    "training.steps=6",
    "training.batch=4",
    "training.chunk=2",
    "training.quality_every=4",
    "training.ess_samples=64",
    "training.schedule=plateau",
    "training.patience=1",
    "training.plateau_window=1",
    "training.anneal_fraction=0.2",
    "loss.aux_weight=0.5",
    "evaluate.draws=24",
    "evaluate.warmup=4",
    "evaluate.hmc_draws=0",
    "evaluate.timing_rounds=1",
]


pytestmark = pytest.mark.usefixtures("quick_compilation")


def settings(*overrides: str) -> Settings:
    """The settings of a small run with these overrides."""
    return composed(*TINY, *overrides)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run, with the baseline beside it."""
    path = tmp_path_factory.mktemp("runs") / "finished"
    run(settings("evaluate.hmc_draws=40"), path)
    return path


def last_state(path: Path) -> TrainingState:
    """Model, optimiser and chains at the end of a run's training."""
    made = RunDirectory(path).settings()
    trainee, key = build_trainee(made), jax.random.key(0)
    like = eqx.filter_eval_shape(lambda k: trainee.start(descent_of(trainee).in_jax, k, k), key)
    newest = latest_checkpoint(path / "checkpoints", "train")
    assert newest is not None
    return load_checkpoint(newest, like)[0]


def results(path: Path) -> list[np.ndarray]:
    """Everything at the end of training, and all draws."""
    made = RunDirectory(path).settings()
    phases = ["evaluate", "hmc"] if made.evaluate.hmc_draws else ["evaluate"]
    draws = [read_draws(path / f"chains/{name}.h5")[0] for name in phases]
    found = [*jax.tree.leaves(last_state(path)), *jax.tree.leaves(draws)]
    return [np.asarray(leaf) for leaf in found]


def test_a_run_leaves_its_files(finished: Path) -> None:
    summary = json.loads((finished / "summary.json").read_text())
    training = summary["training"]
    assert training["steps"] == 6
    assert 0 < training["acceptance"] <= 1
    assert training["charge_jump"] > 0
    assert training["step_size"] == pytest.approx(0.2, rel=0.05)
    assert np.isfinite(training["loss"])
    assert summary["evaluate"]["force_evaluations"] == 4  # a palindrome of 2 layers
    assert summary["hmc"]["draws"] == 40
    assert summary["comparison"].keys() == {"plaquette", "charge", "charge_squared"}
    assert {"reversibility", "log_det", "exp_minus_delta_h"} <= summary["checks"].keys()
    assert summary["checks"]["reversibility"]["passed"]
    assert summary["checks"]["log_det"]["passed"]
    with (finished / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    assert [bool(row["acceptance"]) for row in rows] == [False, True, True]
    assert all(float(row["beta"]) > 0 for row in rows)
    scale = plateau_scale(last_state(finished).optimiser)
    assert scale in (1, 0.5, 0.25, 0.125)
    assert float(rows[-1]["learning_rate"]) == pytest.approx(1e-3 * scale)
    report = (finished / "report.html").read_text()
    assert "L2HMC" in report
    assert "training-charge_jump" in report


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the program may handle it."""


@pytest.mark.parametrize(
    ("module", "checkpoint"),
    [(train_phase, "train-00000004"), (chain_phase, "evaluate-00000014")],
    ids=["training", "evaluation"],
)
def test_a_run_goes_on_bit_for_bit(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, checkpoint: str
) -> None:
    """Model, optimiser, training's chains and draws are those of the uninterrupted run."""

    def killed(path: Path, tree: Any, metadata: dict[str, Any]) -> None:
        save_checkpoint(path, tree, metadata)
        if path.stem == checkpoint:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, "save_checkpoint", killed)
        with pytest.raises(Killed):
            run(settings("evaluate.hmc_draws=40"), tmp_path)
    run(RunDirectory(tmp_path).settings(), tmp_path)
    for wanted, found in zip(results(finished), results(tmp_path), strict=True):
        np.testing.assert_array_equal(found, wanted)


def damaged(finished: Path, path: Path, change: Any) -> None:
    """A run that was stopped before its evaluation, with another model in its checkpoint."""
    directory = RunDirectory(path)
    with directory.owned():
        directory.create(RunDirectory(finished).settings())
    state = last_state(finished)
    state = state._replace(model=change(state.model))
    save_checkpoint(
        directory.checkpoints / "train-00000006.ckpt", state, {"rows": [], "seconds": 0.0}
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda g: eqx.tree_at(lambda g: g.masks, g, ~g.masks),
            r"\.masks is not that of these settings",
        ),
        (
            lambda g: eqx.tree_at(lambda g: g.log_step_sizes, g, g.log_step_sizes * jnp.nan),
            "a parameter is NaN",
        ),
    ],
    ids=["masks", "nan"],
)
def test_another_model_is_refused_before_sampling(
    finished: Path, tmp_path: Path, change: Any, message: str
) -> None:
    damaged(finished, tmp_path, change)
    with pytest.raises(CheckpointError, match=message):
        run(RunDirectory(tmp_path).settings(), tmp_path)
    assert not list((tmp_path / "chains").iterdir())


def test_another_architecture_is_refused(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"dynamics\.load=.*: set dynamics\.n_leapfrog="):
        run(settings(f"dynamics.load={finished}", "dynamics.n_leapfrog=3"), tmp_path / "a")
    with pytest.raises(SettingsError, match=r"dynamics\.load=.*dense networks"):
        run(settings(f"dynamics.load={finished}", "theory.lattice=[4,6]"), tmp_path / "b")


CONV = ("dynamics.network=conv", "dynamics.direction=random", "loss.plaquette_weight=0.5")


@pytest.mark.slow
def test_a_convolutional_leapfrog_moves_to_another_lattice(tmp_path: Path) -> None:
    run(settings(*CONV, "precision=bf16", "loss.form=plain"), tmp_path / "a")
    load = (f"dynamics.load={tmp_path / 'a'}", "theory.lattice=[6,4]", "training.steps=0")
    numbers = run(settings(*CONV, *load), tmp_path / "b")
    assert numbers["checks"]["log_det"]["passed"]
    assert numbers["checks"]["reversibility"]["passed"]
    assert numbers["evaluate"]["force_evaluations"] == 2  # one pass of 2 layers
    here, there = (last_state(tmp_path / name).model for name in "ab")
    for a, b in zip(jax.tree.leaves(here.momentum), jax.tree.leaves(there.momentum), strict=True):
        np.testing.assert_array_equal(a, b)
    assert there.masks.shape == (2, 2, 6, 4)
