"""The training of a run by another framework: history, checkpoints, interruption."""

import csv
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from composed import composed

from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.interop import engine_of
from gaugemc.io.checkpoint import load_checkpoint
from gaugemc.run.experiment import run
from gaugemc.run.run_directory import RunDirectory
from gaugemc.run.train_phase import run_training
from gaugemc.run.trainee import build_trainee
from gaugemc.training.engine import Engine

pytestmark = pytest.mark.usefixtures("quick_compilation")
TINY = [
    "sampler=l2hmc",
    "theory=correlated_gaussian",
    "mode=debug",
    "precision=fp64",
    "progress=false",
    "network.hidden=[4]",
    "dynamics.n_leapfrog=1",
    "training.steps=6",
    "training.batch=4",
    "training.chunk=2",
    "training.quality_every=4",
    "training.ess_samples=16",
]


def settings(framework: str) -> Settings:
    return composed(*TINY, f"framework={framework}")


def trained(made: Settings, path: Path, engine: Engine) -> Any:
    """The model that training ends with, in this directory."""
    directory = RunDirectory(path)
    with directory.owned():
        directory.create(made)
        trainee = build_trainee(made)
        return run_training(trainee, directory, jax.random.key(1), engine).model


def rows(path: Path) -> list[dict[str, str]]:
    with (path / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def test_the_history_and_the_model_are_those_of_jax(tmp_path: Path, name: str) -> None:
    models = []
    for framework in ("jax", name):
        made = settings(framework)
        models.append(trained(made, tmp_path / framework, engine_of(made)))
    ours, theirs = (rows(tmp_path / framework) for framework in ("jax", name))
    assert [row["step"] for row in theirs] == ["2", "4", "6"]
    for row, other in zip(ours, theirs, strict=True):
        assert [n for n, c in row.items() if c] == [n for n, c in other.items() if c]
        numbers = [[float(cell) for cell in r.values() if cell] for r in (row, other)]
        np.testing.assert_allclose(numbers[1], numbers[0], rtol=1e-8)
    (newest,) = (tmp_path / name / "checkpoints").glob("best-*.ckpt")
    np.testing.assert_allclose(
        *(
            np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(model)])
            for model in (load_checkpoint(newest, models[0])[0], models[0])
        ),
        rtol=1e-8,
        atol=1e-9,  # Adam divides by gradients, some of which nearly vanish
    )


def test_an_interrupted_training_goes_on_bit_for_bit(tmp_path: Path, name: str) -> None:
    made = settings(name)
    engine = engine_of(made)
    whole = trained(made, tmp_path / "whole", engine)

    def interrupted(*arguments: Any) -> Any:
        yield next(engine.train(*arguments))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(made, tmp_path / "parts", Engine(name, interrupted))
    parts = trained(made, tmp_path / "parts", engine)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
        np.testing.assert_array_equal(a, b)
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")


def test_a_run_without_its_engine_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=rf"framework={name}: .*engine_of\(settings\)"):
        run(settings(name), tmp_path / "run")
    assert not (tmp_path / "run").exists()
