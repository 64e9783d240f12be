"""A run whose flow is trained for jumps: what it leaves, and an interruption."""

import csv
import json
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
import pytest
from composed import SMALL, composed

from gaugemc.choices.settings import Settings
from gaugemc.io.checkpoint import load_checkpoint
from gaugemc.io.ensemble import read_draws
from gaugemc.run.experiment import run
from gaugemc.run.run_directory import RunDirectory
from gaugemc.run.train_phase import descent_of
from gaugemc.run.trainee import build_trainee
from gaugemc.training.engine import Engine, in_jax

pytestmark = pytest.mark.usefixtures("quick_compilation")
TINY = [
    *SMALL,
    "training.objective=jump",
    "sampler.tune=false",
    "sampler.n_steps=2",
    "training.steps=6",
    "training.batch=4",
    "training.chunk=2",
    "training.quality_every=4",
    "training.ess_samples=16",
    "evaluate.draws=24",
    "evaluate.warmup=4",
    "evaluate.hmc_draws=0",
    "evaluate.timing_rounds=1",
]


def settings() -> Settings:
    """The settings of a small run."""
    return composed(*TINY)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run."""
    path = tmp_path_factory.mktemp("runs") / "finished"
    run(settings(), path)
    return path


def results(path: Path) -> list[np.ndarray]:
    """Model, optimiser and training's chains after the last step, and all draws."""
    trainee, key = build_trainee(settings()), jax.random.key(0)
    like = trainee.start(descent_of(trainee).in_jax, key, key)
    state, _ = load_checkpoint(path / "checkpoints/train-00000006.ckpt", like)
    assert state.chains.shape == (4, 2, 4, 4)
    draws, _ = read_draws(path / "chains/evaluate.h5")
    return [np.asarray(leaf) for leaf in jax.tree.leaves((state, draws))]


def rows(path: Path) -> list[dict[str, str]]:
    with (path / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def test_a_run_leaves_its_files(finished: Path) -> None:
    training = json.loads((finished / "summary.json").read_text())["training"]
    assert training["steps"] == 6
    assert 0 < training["acceptance"] <= 1
    assert training["plaquette_jump"] > 0
    assert np.isfinite([training["loss"], training["kl"]]).all()
    history = rows(finished)
    assert [row["step"] for row in history] == ["2", "4", "6"]
    for name in ("acceptance", "charge_jump", "plaquette_jump", "kl"):
        assert [bool(row[name]) for row in history] == [False, True, True], name
    assert "training-charge_jump" in (finished / "report.html").read_text()


def test_a_run_goes_on_bit_for_bit_after_ctrl_c(finished: Path, tmp_path: Path) -> None:
    def interrupted(*arguments: Any, **options: Any) -> Any:
        yield next(in_jax(*arguments, **options))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(settings(), tmp_path, engine=Engine("jax", interrupted))
    assert not (tmp_path / "checkpoints/train-00000006.ckpt").exists()
    run(RunDirectory(tmp_path).settings(), tmp_path)
    for wanted, found in zip(results(finished), results(tmp_path), strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert rows(tmp_path) == rows(finished)


FOUR_DIMENSIONS = [
    "mode=debug",
    "theory=su2_4d",
    "theory.lattice=[2,2,2,2]",
    "flow=stout",
    "flow.sweeps=1",
    "training.objective=jump",
    "sampler.n_steps=1",
    "training.steps=2",
    "training.batch=2",
]


def test_a_flow_of_four_dimensions_is_trained() -> None:
    """All 24 coefficients have a gradient, and Adam moves each of them."""
    trainee, key = build_trainee(composed(*FOUR_DIMENSIONS)), jax.random.key(0)
    descent = descent_of(trainee)
    start = trainee.start(descent.in_jax, key, key)
    *_, (state, metrics) = in_jax(trainee.objective, descent, start, key, 2, 2)
    before, after = (
        np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(arrays)])
        for arrays in (eqx.filter(s.model, eqx.is_inexact_array) for s in (start, state))
    )
    assert after.size == 24
    assert np.all(np.abs(after - before) > 0)
    assert np.isfinite(metrics.loss).all()
    assert np.max(np.abs(state.chains - start.chains)) > 0.01
