"""A whole run in this process: samplers, precisions, volume transfer, interruptions, summary."""

import html
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from composed import SMALL, composed

from gaugemc.choices.build import build_theory
from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.exact import sun as exact_sun
from gaugemc.io.checkpoint import (
    CheckpointError,
    checkpoint_path,
    read_metadata,
    save_checkpoint,
)
from gaugemc.io.ensemble import read_configurations, read_draws
from gaugemc.kernels.native.library import targets
from gaugemc.run import best, chain_phase, phase_start, train_phase
from gaugemc.run.experiment import run
from gaugemc.run.run_directory import RunDirectory, RunDirectoryError
from gaugemc.run.trainee import build_trainee
from gaugemc.training import TrainingDivergedError
from gaugemc.training.engine import Engine, in_jax
from gaugemc.tuning import Tuning, tune

pytestmark = pytest.mark.usefixtures("quick_compilation")

TINY = [
    *SMALL,
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
    flow, _ = train_phase.load_model(build_trainee(made))
    found = {str(i): np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(flow))}
    for name in ("evaluate", "hmc"):
        draws, _ = read_draws(path / f"chains/{name}.h5")
        measured = {**draws.observables, **draws.info._asdict()}
        found |= {f"{name}/{key}": values for key, values in measured.items()}
    return found


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the program may handle it."""


MOMENTS = [
    (best, "best-00000002.ckpt", "after"),
    (train_phase, "train-00000002.ckpt", "before"),
    (train_phase, "train-00000004.ckpt", "after"),
    (phase_start, "tune-evaluate-00000000.ckpt", "before"),
    (chain_phase, "evaluate-00000014.draws", "after"),
    (chain_phase, "hmc-00000024.ckpt", "before"),
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
        if path.name == checkpoint:
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


def test_draws_are_stored_once_chunk_by_chunk(finished: Path, tmp_path: Path) -> None:
    """The files of a phase join up; without one of them the run is not continued."""
    for phase in ("evaluate", "hmc"):
        files = sorted(finished.glob(f"checkpoints/{phase}-*.draws"))
        ends = [int(path.stem.rpartition("-")[2]) for path in files]
        assert [read_metadata(path)["first"] for path in files] == [0, *ends[:-1]]
        assert len(files) > 1
        assert max(finished.glob(f"checkpoints/{phase}-*.ckpt")).stem == files[-1].stem
    path = Path(shutil.copytree(finished, tmp_path / "damaged"))
    first = min(path.glob("checkpoints/hmc-*.draws"))
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=rf"^{first}: truncated"):
        run(RunDirectory(path).settings(), path)
    first.unlink()
    with pytest.raises(CheckpointError, match=rf"its draws are not in {first.name}; go on with"):
        run(RunDirectory(path).settings(), path)


def test_more_draws_are_those_of_a_longer_run(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks end elsewhere, and the longer run is killed once: chains/ are the same bytes."""
    longer = ("evaluate.draws=70", "evaluate.hmc_draws=90")
    run(settings(*longer), tmp_path / "direct")
    path = Path(shutil.copytree(finished, tmp_path / "extended"))
    before = (path / "config.yaml").read_text()

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(chain_phase, "save_checkpoint", killed)
        with pytest.raises(Killed):
            run(settings(*longer), path, extend=True)
    assert json.loads((path / "summary.json").read_text())["evaluate"]["draws"] == 24
    assert (path / "config.yaml").read_text() != before
    run(RunDirectory(path).settings(), path)
    for name in ("evaluate", "hmc"):
        files = [(p / f"chains/{name}.h5").read_bytes() for p in (path, tmp_path / "direct")]
        assert files[0] == files[1]
        assert (path / f"chains/{name}.h5").read_bytes() != (
            finished / f"chains/{name}.h5"
        ).read_bytes()
    tuned = [(p / "checkpoints/tune-hmc-00000000.ckpt").read_bytes() for p in (path, finished)]
    assert tuned[0] == tuned[1]


FIELDS = [
    (["sampler=fthmc"], (2, 4, 4), np.float32),
    (["theory=su2_2d", "sampler=hmc"], (2, 4, 4, 2, 2), np.complex64),
]


@pytest.mark.parametrize(("choice", "shape", "dtype"), FIELDS, ids=["u1", "su2"])
def test_the_last_configurations_are_those_that_were_measured(
    tmp_path: Path, choice: list[str], shape: tuple[int, ...], dtype: type
) -> None:
    made = settings(*choice, "evaluate.configurations=true", "evaluate.hmc_draws=20")
    run(made, tmp_path)
    theory = build_theory(made)
    for path in (tmp_path / "chains").glob("*.h5"):
        fields = read_configurations(path)
        assert fields is not None
        assert fields.shape == (4, 1, *shape)
        assert fields.dtype == dtype
        draws, _ = read_draws(path)
        measured = jax.vmap(theory.observables)(jnp.asarray(fields[:, 0]))
        for name, values in measured.items():
            last = draws.observables[name][:, -1]
            np.testing.assert_allclose(values, last, atol=1e-5, err_msg=f"{path.name} {name}")


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
        assert sum(row["chosen"] for row in part["tuning"]) == 1
        for row in part["tuning"]:
            assert row["scores"][row["scored_by"]]["error"] == row["score_error"] > 0
            assert (row["length"], row["target"]) == (1.0, 0.8)
        assert part["observables"].keys() == {"plaquette", "charge", "charge_squared"}
        for values in part["observables"].values():
            assert {"mean", "error", "tau_int", "tau_int_error", "exact", "z"} <= values.keys()
            assert values["exact"] is not None
    assert summary["baselines"] == {}
    for ratios in summary["comparison"].values():
        assert ratios["baseline"] == "hmc"
        assert {"ess_per_second_ratio", "ess_per_force_ratio", "error"} <= ratios.keys()
    assert {"reversibility", "log_det", "exp_minus_delta_h"} <= summary["checks"].keys()
    assert summary["checks"]["reversibility"]["passed"]
    assert summary["checks"]["log_det"]["passed"]


def choices_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tuner finds its second candidate best for the plaquette, and the first for the charge."""

    def differing(*arguments: Any, **options: Any) -> Tuning:
        found = tune(*arguments, **options)
        choices = {
            name: choice._replace(candidate=["charge", "plaquette"].index(name))
            for name, choice in found.choices.items()
        }
        first = found.candidates[0]
        sampler = found.sampler.with_steps(first.step_size, first.n_steps)
        return found._replace(choices=choices, sampler=sampler)

    monkeypatch.setattr(phase_start, "tune", differing)


def test_an_observable_that_needs_another_hmc_gets_its_own_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed within the second baseline and resumed, it is that of an uninterrupted run."""
    choices_differ(monkeypatch)
    made = settings("sampler=heatbath", "evaluate.lengths=[0.5,1.0]")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    summary = run(made, whole)
    first, second = summary["hmc"], summary["baselines"]["hmc-plaquette"]
    assert list(summary["baselines"]) == ["hmc-plaquette"]
    rows = first["tuning"]
    assert [row["chosen"] for row in rows] == [True, False]
    assert [list(row["chosen_for"]) for row in rows] == [["charge"], ["plaquette"]]
    for row, part in zip(rows, (first, second)):
        assert (part["step_size"], part["n_steps"]) == (row["step_size"], row["n_steps"])
    assert second["draws"] == 40
    compared = {name: ratios["baseline"] for name, ratios in summary["comparison"].items()}
    assert compared == {"charge": "hmc", "charge_squared": "hmc", "plaquette": "hmc-plaquette"}
    for name, part in (("plaquette", second), ("charge_squared", first)):
        ours, theirs = (p["observables"][name]["tau_int"] for p in (summary["evaluate"], part))
        ratio = theirs / ours * part["seconds_per_draw"]
        ratio /= summary["evaluate"]["seconds_per_draw"]
        assert summary["comparison"][name]["ess_per_second_ratio"] == pytest.approx(ratio)
    assert "hmc-plaquette/exp_minus_delta_h" in summary["checks"]
    assert "HMC for plaquette" in (whole / "report.html").read_text()

    def killed(path: Path, tree: Any, metadata: dict[str, Any]) -> None:
        if path.stem == "hmc-plaquette-00000024":
            raise Killed
        save_checkpoint(path, tree, metadata)

    with monkeypatch.context() as patch:
        patch.setattr(chain_phase, "save_checkpoint", killed)
        with pytest.raises(Killed):
            run(made, parts)
    assert (parts / "checkpoints/hmc-plaquette-00000012.ckpt").exists()
    monkeypatch.setattr(phase_start, "tune", None)  # its checkpoint holds all that is needed
    run(made, parts)
    for name in ("hmc", "hmc-plaquette"):
        wanted, found = (read_draws(path / f"chains/{name}.h5")[0] for path in (whole, parts))
        jax.tree.map(np.testing.assert_array_equal, wanted, found)


SU3 = ["theory=su3_4d", "theory.lattice=[2,2,2,2]", "theory.beta=5.7"]
CHOICES = [
    ["sampler=hmc"],
    ["sampler=flow"],
    ["sampler=heatbath"],
    ["sampler=exact"],
    ["sampler=winding"],
    ["sampler=mixed", "flow=flux", "training.objective=forward_kl"],
    ["flow=multiscale", "flow.start=identity", "training.objective=symmetric_kl"],
    ["sampler=hmc", *SU3],
    ["sampler=hmc", *SU3, "native=off"],
    ["precision=fp64", "evaluate.hmc_draws=0", "training.objective=forces"],
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
    compiled = "native=off" not in choice and targets()
    assert numbers["theory"]["kernels"] == ("compiled" if compiled else "xla")
    for name in ("reversibility", "log_det"):
        assert numbers["checks"].get(name, {"passed": True})["passed"], name
    assert (tmp_path / "tensorboard").exists() == ("tracker=tensorboard" in choice)


def test_a_free_theory_passes_its_checks(tmp_path: Path) -> None:
    """At beta = 0 every trajectory is accepted, however long its steps."""
    numbers = run(settings("sampler=hmc", "theory.beta=0", "evaluate.tune_iterations=20"), tmp_path)
    assert numbers["checks"]["reversibility"]["passed"]
    assert numbers["evaluate"]["step_size"] == 1.0
    assert "one step of the whole length" in (tmp_path / "report.html").read_text()


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
    identity = "flow.start=identity"
    carried = run(settings(*multiscale, identity, *load, "sampler=flow"), tmp_path / "b")
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


def test_a_divergence_names_the_last_good_checkpoint(tmp_path: Path) -> None:
    def one_chunk(*arguments: Any) -> Any:
        yield next(in_jax(*arguments))
        diverges()

    with pytest.raises(TrainingDivergedError, match=r"step 5: try .*checkpoint: step 2 in "):
        run(settings(), tmp_path, engine=Engine("jax", one_chunk))
    assert checkpoint_path(tmp_path / "checkpoints", "train", 2).exists()


def test_an_interruption_leaves_a_line(tmp_path: Path) -> None:
    def interrupted(*arguments: Any) -> Any:
        yield next(in_jax(*arguments))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(settings(), tmp_path, engine=Engine("jax", interrupted))
    assert (tmp_path / "log.txt").read_text().endswith(" interrupted\n")
