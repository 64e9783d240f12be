"""Whole runs on toy densities: what they leave, exact values, interruptions."""

import csv
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from composed import composed

from gaugemc.choices.build import build_theory
from gaugemc.choices.settings import Settings
from gaugemc.choices.validation import validate
from gaugemc.io.checkpoint import save_checkpoint
from gaugemc.io.ensemble import read_draws
from gaugemc.run import train_phase
from gaugemc.run.experiment import run
from gaugemc.run.run_directory import RunDirectory
from gaugemc.theories import TOYS

SMALL = [
    "mode=debug",
    "chains=8",
    "progress=false",
    "network.hidden=[8]",
    "training.steps=20",
    "training.chunk=5",
    "evaluate.draws=400",
    "evaluate.warmup=40",
]


pytestmark = pytest.mark.usefixtures("quick_compilation")


def settings(*overrides: str) -> Settings:
    """The settings of a small run with these overrides."""
    return composed(*SMALL, *overrides)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of L2HMC on the ring, with the baseline beside it."""
    path = tmp_path_factory.mktemp("runs") / "ring"
    run(settings("theory=ring", "sampler=l2hmc"), path)
    return path


def test_l2hmc_leaves_a_run_with_exact_values(finished: Path) -> None:
    """The z-scores are below 4 for a false-alarm rate of 6e-5 each."""
    summary = json.loads((finished / "summary.json").read_text())
    assert summary["theory"]["title"] == "ring"
    assert summary["theory"]["toy"] == "ring"
    assert summary["comparison"].keys() == {"first", "first_squared", "radius"}
    checks = summary["checks"]
    assert {"reversibility", "log_det", "exp_minus_delta_h", "radius", "hmc_radius"} <= set(checks)
    assert not any(check["outcome"] == "failed" for check in checks.values())
    assert "On the ring, L2HMC" in summary["verdict"]
    assert "independent first values" in summary["verdict"]
    assert 0 < summary["training"]["acceptance"] <= 1
    assert summary["training"]["first_jump"] > 0


def test_training_is_annealed_to_the_density_itself(finished: Path) -> None:
    with (finished / "metrics.csv").open() as file:
        beta = [float(row["beta"]) for row in csv.DictReader(file)]
    assert beta[0] < beta[-1] == 1


def test_the_report_shows_the_leading_observables(finished: Path) -> None:
    report = (finished / "report.html").read_text()
    figures = {path.stem for path in (finished / "figures").glob("*.svg")}
    assert {"history-sampler", "autocorrelation-first", "autocorrelation-radius"} <= figures
    assert "training-first_jump" in figures
    assert "charge" not in figures
    assert "L2HMC against HMC: ring</h1>" in report
    for absent in ("Topological", "plaquette", "None", "β ="):
        assert absent not in report.split("Configuration</h2>")[0]


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the program may handle it."""


def test_a_run_goes_on_bit_for_bit(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path, tree: Any, metadata: dict[str, Any]) -> None:
        save_checkpoint(path, tree, metadata)
        if path.stem == "train-00000010":
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(train_phase, "save_checkpoint", killed)
        with pytest.raises(Killed):
            run(RunDirectory(finished).settings(), tmp_path)
    run(RunDirectory(tmp_path).settings(), tmp_path)
    for phase in ("evaluate", "hmc"):
        wanted, found = (
            read_draws(path / f"chains/{phase}.h5")[0] for path in (finished, tmp_path)
        )
        jax.tree.map(np.testing.assert_array_equal, found, wanted)


def test_hmc_on_a_toy(tmp_path: Path) -> None:
    numbers = run(settings("theory=rough_well", "sampler=hmc"), tmp_path)
    assert numbers["training"] is None
    assert {"reversibility", "first", "first_squared"} <= numbers["checks"].keys()
    assert not any(check["outcome"] == "failed" for check in numbers["checks"].values())
    assert numbers["verdict"].startswith("On the rough well, HMC ran")


@pytest.mark.parametrize("name", TOYS)
def test_every_toy_is_a_choice(name: str) -> None:
    """In modes that change the beta of gauge theories too, with its own name and exact values."""
    for mode in ("debug", "demo"):
        made = composed(f"theory={name}", "sampler=l2hmc", f"mode={mode}")
        validate(made)
        theory = build_theory(made)
        assert made.theory.name == theory.name
        assert theory.exact_observables()
        assert set(theory.leading) <= set(jax.eval_shape(theory.observables, theory.space.origin()))
