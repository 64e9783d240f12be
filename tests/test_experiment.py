"""A whole run in this process: samplers, precisions, volume transfer, interruptions, summary."""

import html
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest
from composed import composed

from gaugemc.analysis import exact_sun
from gaugemc.experiment import best, chain_phase, train_phase
from gaugemc.experiment.build import build_theory
from gaugemc.experiment.experiment import run
from gaugemc.experiment.run_directory import RunDirectory, RunDirectoryError
from gaugemc.experiment.settings import Settings, SettingsError
from gaugemc.experiment.trainee import build_trainee
from gaugemc.io.checkpoint import checkpoint_path, save_checkpoint
from gaugemc.io.ensemble import read_draws
from gaugemc.training import TrainingDivergedError

TINY = [
    "mode=debug",
    "theory.lattice=[4,4]",
    "chains=4",
    "progress=false",
    "flow.n_layers=2",
    "network.hidden=[4]",
    "training.steps=6",
    "training.chunk=2",
    "training.quality_every=2",
    "evaluate.draws=24",
    "evaluate.warmup=4",
    "evaluate.hmc_draws=40",
    "evaluate.hmc_warmup=8",
    "evaluate.tune_iterations=2",
    "evaluate.tune_draws=4",
    "evaluate.timing_rounds=1",
]


def settings(*overrides: str) -> Settings:
    """The settings of a small run with these overrides."""
    return composed(*TINY, *overrides)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run of FT-HMC."""
    path = tmp_path_factory.mktemp("runs") / "finished"
    run(settings(), path)
    return path


def results(path: Path) -> dict[str, np.ndarray]:
    """All draws, and the parameters of the trained model."""
    made = settings(f"flow.load={path}")
    flow, _ = train_phase.load_model(build_trainee(made, build_theory(made)))
    found = {str(i): np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(flow))}
    for name in ("evaluate", "hmc"):
        draws, _ = read_draws(path / f"chains/{name}.h5")
        measured = {**draws.observables, **draws.info._asdict()}
        found |= {f"{name}/{key}": values for key, values in measured.items()}
    return found


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the program may handle it."""


MOMENTS = [
    (best, "best-00000002", "after"),
    (train_phase, "train-00000002", "before"),
    (train_phase, "train-00000004", "after"),
    (chain_phase, "tune-evaluate-00000000", "before"),
    (chain_phase, "evaluate-00000014", "after"),
    (chain_phase, "hmc-00000024", "before"),
]


@pytest.mark.parametrize(("module", "checkpoint", "when"), MOMENTS, ids=[m[1] for m in MOMENTS])
def test_a_run_goes_on_bit_for_bit(
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    checkpoint: str,
    when: str,
) -> None:
    """Killed before or after a checkpoint is written; kills of processes: test_cli.py."""
    reached = []

    def killed(path: Path, tree: Any, metadata: dict[str, Any]) -> None:
        if path.stem == checkpoint:
            reached.append(path)
        if not reached or when == "after":
            save_checkpoint(path, tree, metadata)
        if reached:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, "save_checkpoint", killed)
        with pytest.raises(Killed):
            run(settings(), tmp_path)
    assert reached
    assert not (tmp_path / "summary.json").exists()
    run(RunDirectory(tmp_path).settings(), tmp_path)
    wanted, found = results(finished), results(tmp_path)
    assert wanted.keys() == found.keys()
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    trained, again = (
        json.loads((path / "summary.json").read_text())["training"] for path in (finished, tmp_path)
    )
    assert again | {"seconds": trained["seconds"]} == trained


def test_the_summary_has_its_schema(finished: Path) -> None:
    summary = json.loads((finished / "summary.json").read_text())
    assert summary["theory"]["group"] == "U1"
    assert summary["theory"]["lattice"] == [4, 4]
    assert summary["sampler"]["name"] == "fthmc"
    training = summary["training"]
    assert training["steps"] == 6
    assert training["kl"] > 0
    assert 0 < training["ess"] <= 1
    assert training["seconds"] > 0
    assert training["kl_error"] > 0
    assert training["ess_error"] > 0
    assert training["best_step"] in (2, 4, 6)
    assert training["last_kl"] > 0
    assert training["warnings"] == []
    header = (finished / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"kl", "kl_error", "ess", "ess_error"} <= set(header)
    for section, draws in (("evaluate", 24), ("hmc", 40)):
        part = summary[section]
        assert (part["chains"], part["draws"]) == (4, draws)
        assert 0 <= part["acceptance"] <= 1
        assert part["seconds"] > 0
        assert part["force_evaluations"] > 0
        assert part["step_size"] > 0
        assert part["n_steps"] >= 1
        assert sum(row["chosen"] for row in part["tuning"]) >= 1
        assert part["observables"].keys() == {"plaquette", "charge", "charge_squared"}
        for values in part["observables"].values():
            assert {"mean", "error", "tau_int", "tau_int_error", "exact", "z"} <= values.keys()
            assert values["exact"] is not None
    for ratios in summary["comparison"].values():
        assert {"ess_per_second_ratio", "ess_per_force_ratio", "error"} <= ratios.keys()
    assert {"reversibility", "log_det", "exp_minus_delta_h"} <= summary["checks"].keys()
    assert summary["checks"]["reversibility"]["passed"]
    assert summary["checks"]["log_det"]["passed"]


CHOICES = [
    ["sampler=hmc"],
    ["sampler=flow"],
    ["sampler=heatbath"],
    ["sampler=exact"],
    ["sampler=winding"],
    ["sampler=mixed"],
    ["sampler=hmc", "theory=su3_4d", "theory.lattice=[2,2,2,2]", "theory.beta=5.7"],
    ["precision=fp64", "evaluate.hmc_draws=0"],
    ["tracker=tensorboard", "evaluate.hmc_draws=0"],
    ["precision=bf16", "evaluate.hmc_draws=0"],
    ["precision=fp16", "evaluate.hmc_draws=0", "flow=spline"],
]


def test_exact_results_of_su2_are_checked(tmp_path: Path) -> None:
    """Of about 3000 draws; the limit is 4 sigma, a false alarm in 10^4 keys."""
    su2 = ("theory=su2_2d", "sampler=hmc", "theory.beta=2.0", "evaluate.draws=800")
    plaquette = run(settings(*su2), tmp_path)["evaluate"]["observables"]["plaquette"]
    assert plaquette["exact"] == pytest.approx(exact_sun.plaquette(2, 2.0, 16))
    assert abs(plaquette["z"]) < 4


@pytest.mark.parametrize("choice", CHOICES, ids=" ".join)
def test_every_choice_runs_to_its_report(choice: list[str], tmp_path: Path) -> None:
    numbers = run(settings(*choice), tmp_path)
    assert (tmp_path / "report.html").stat().st_size > 0
    written = json.loads((tmp_path / "summary.json").read_text())
    assert written["verdict"] == numbers["verdict"]
    assert np.isfinite(numbers["evaluate"]["observables"]["plaquette"]["mean"])
    for name in ("reversibility", "log_det"):
        assert numbers["checks"].get(name, {"passed": True})["passed"], name
    assert (tmp_path / "tensorboard").exists() == ("tracker=tensorboard" in choice)


def test_a_flow_moves_to_another_lattice(finished: Path, tmp_path: Path) -> None:
    load = f"flow.load={finished}"
    run(settings(load, "theory.lattice=[8,4]", "training.steps=0", "sampler=flow"), tmp_path / "a")
    assert f"training starts from {finished}" in (tmp_path / "a/log.txt").read_text()
    first = results(finished)
    for name, values in results(tmp_path / "a").items():
        if "/" not in name:
            np.testing.assert_array_equal(values, first[name])
    run(settings(load, "theory.lattice=[8,4]", "sampler=flow"), tmp_path / "b")
    trained = results(tmp_path / "b")
    assert any(np.any(trained[name] != first[name]) for name in first if "/" not in name)


def test_multiscale_flow_trains_by_levels_and_goes_to_any_lattice(tmp_path: Path):
    multiscale = ("flow=multiscale", "training.steps=30", "training.batch=16", "evaluate.draws=80")
    first = run(settings(*multiscale, "flow.start=identity"), tmp_path / "a")
    assert first["training"]["kl"] > 0
    assert first["sampler"]["parameters"]["training"]["objective"] == "levels"
    assert first["sampler"]["parameters"]["sampler"]["force_scale"] == 0.3
    assert first["checks"]["log_det"]["passed"]
    assert first["checks"]["reversibility"]["passed"]
    load = (f"flow.load={tmp_path / 'a'}", "theory.lattice=[6,5]", "training.steps=0")
    carried = run(settings(*multiscale, *load, "sampler=flow"), tmp_path / "b")
    assert carried["checks"]["log_det"]["passed"]
    assert carried["theory"]["lattice"] == [6, 5]


@pytest.mark.slow
def test_pair_couplings_run_and_go_to_other_lattices(tmp_path: Path):
    first = run(settings("flow=pair", "training.objective=path_gradient"), tmp_path / "a")
    assert first["sampler"]["parameters"]["training"]["objective"] == "path_gradient"
    assert first["checks"]["log_det"]["passed"]
    assert first["checks"]["reversibility"]["passed"]
    load = (f"flow.load={tmp_path / 'a'}", "theory.lattice=[6,4]", "sampler=flow")
    assert run(settings("flow=pair", *load), tmp_path / "b")["theory"]["lattice"] == [6, 4]
    with pytest.raises(SettingsError, match=r"theory\.lattice=\[4, 5\]: .*nearest to 5: \[4, 6\]"):
        run(settings("flow=pair", "theory.lattice=[4,5]"), tmp_path / "c")


def test_levels_are_for_the_multiscale_flow_alone(tmp_path: Path):
    with pytest.raises(
        SettingsError, match=r"training\.objective=levels: choose one of reverse_kl"
    ):
        run(settings("training.objective=levels"), tmp_path / "a")


def test_another_run_is_not_continued(finished: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"seed=2: .* seed=1"):
        run(settings("seed=2"), finished)


def diverges(*_: Any) -> Any:
    """A training that ends in a NaN at step 5, after one chunk that went well."""
    raise TrainingDivergedError("training diverged at step 5: try a smaller training.learning_rate")


def test_training_that_rots_is_said_and_not_used(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A learning rate of 1: after a few steps the gradients are noise, and the flow gets worse."""
    rotten = ("sampler=flow", "flow.n_layers=8", "theory.beta=6", "evaluate.hmc_draws=0")
    hasty = ("learning_rate=1", "steps=60", "chunk=5", "quality_every=5", "warmup=30")
    made = settings(*rotten, *(f"training.{setting}" for setting in hasty))
    training = run(made, tmp_path)["training"]
    noise, left_behind = training["warnings"]
    assert "gradients are noise from step" in noise
    assert "training.learning_rate" in noise
    assert f"the model of step {training['best_step']} (D_KL" in left_behind
    assert training["best_step"] < training["steps"] == 60
    assert training["kl"] + 5 * training["kl_error"] < training["last_kl"]
    assert training["ess_upper_bound"]
    names = [path.name for path in tmp_path.glob("checkpoints/best-*")]
    assert names == [f"best-{training['best_step']:08d}.ckpt"]
    load = settings(*rotten, f"flow.load={tmp_path}", "training.steps=0")
    loaded = run(load, tmp_path / "loaded")["training"]
    assert abs(loaded["kl"] - training["kl"]) < 5 * np.hypot(
        loaded["kl_error"], training["kl_error"]
    )
    said = capfd.readouterr().err.splitlines()
    log = (tmp_path / "log.txt").read_text()
    report = (tmp_path / "report.html").read_text()
    for warning in training["warnings"]:
        assert said.count(f"gaugemc: warning: {warning}") == 1
        assert log.count(f"warning: {warning}") == 1
        assert html.escape(warning) in report
    assert "KL divergence of the last model" in report
    assert run(made, tmp_path)["training"] == training
    assert "warning" not in capfd.readouterr().err


def test_a_divergence_names_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train: Callable[..., Any] = train_phase.train

    def one_chunk(*arguments: Any) -> Any:
        yield next(train(*arguments))
        diverges()

    monkeypatch.setattr(train_phase, "train", one_chunk)
    with pytest.raises(TrainingDivergedError, match=r"step 5: try .*checkpoint: step 2 in "):
        run(settings(), tmp_path)
    assert checkpoint_path(tmp_path / "checkpoints", "train", 2).exists()
