"""Runs that train on one lattice and sample another, and L2HMC trained by its energy errors."""

import json
from pathlib import Path

import equinox as eqx
import jax
import pytest
from composed import composed

from gaugemc.chains.driver import start_chains
from gaugemc.choices.build import build_model, build_sampler, build_theory
from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.choices.validation import validate
from gaugemc.run.experiment import run
from gaugemc.run.train_phase import load_model
from gaugemc.run.trainee import build_trainee

pytestmark = pytest.mark.usefixtures("quick_compilation")

TINY = (
    *("mode=debug", "theory=su2_2d", "theory.lattice=[4,6]", "sampler=l2hmc", "chains=4"),
    *("dynamics.integrator=omf4", "dynamics.n_leapfrog=5", "dynamics.length_trainable=false"),
    *("loss.form=energy", "training.lattice=[4,4]", "training.steps=6", "training.batch=8"),
    *("training.learning_rate=0.5", "training.warmup=1", "training.ess_samples=32"),
    *("evaluate.draws=24", "evaluate.warmup=4", "evaluate.hmc_draws=0", "progress=false"),
)


def settings(*overrides: str) -> Settings:
    return composed(*TINY, *overrides)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "finished"
    run(settings(), path)
    return path


def test_the_model_is_that_of_the_lattice_of_training(finished: Path, tmp_path: Path) -> None:
    """The same numbers as a run on this lattice trains; the length of trajectories is kept."""
    run(settings("theory.lattice=[4,4]", "training.lattice=null"), tmp_path / "small")
    models = []
    for path in (finished, tmp_path / "small"):
        made = settings(f"dynamics.load={path}", "training.lattice=null", "theory.lattice=[4,4]")
        models.append(load_model(build_trainee(made))[0])
    assert eqx.tree_equal(*models)
    length = made.dynamics.n_leapfrog * made.dynamics.step(made.theory)
    assert float(models[0].step_sizes.sum()) == pytest.approx(length)  # pyright: ignore
    fresh = build_model(made, build_theory(made), jax.random.key(0))
    assert not eqx.tree_equal(fresh, models[0])


def test_a_run_samples_its_own_lattice(finished: Path) -> None:
    summary = json.loads((finished / "summary.json").read_text())
    assert summary["theory"]["lattice"] == [4, 6]
    assert summary["checks"]["reversibility"]["passed"]
    assert summary["checks"]["log_det"]["passed"]
    assert summary["training"]["acceptance"] > 0.5


def test_chains_leave_hot_starts_that_the_trained_steps_would_not(tmp_path: Path) -> None:
    """So strong a coupling that a leapfrog of this length accepts nothing at a hot start."""
    strong = (
        "theory.beta=60",
        "dynamics.eps=0.1",
        "training.steps=0",
        "evaluate.tune_iterations=40",
    )
    made = settings(*strong, "training.lattice=null", "evaluate.burn_in=0")
    summary = run(made, tmp_path / "run")
    assert summary["evaluate"]["acceptance"] > 0.3
    assert "acceptance" not in summary["training"]  # nothing was trained, nothing is measured
    theory = build_theory(made)
    sampler = build_sampler(made, theory, build_model(made, theory, jax.random.key(0)))
    hot = start_chains(sampler, jax.random.key(1), 4, cold=False)
    _, info = jax.vmap(sampler.step)(jax.random.split(jax.random.key(2), 4), hot)
    assert info.acceptance.max() < 1e-3


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.lattice=[4,4,4]"], r"training\.lattice=\[4, 4, 4\]: needs 2 extents"),
        (["training.lattice=[4,1]"], r"training\.lattice=\[4, 1\]: .*at least 2 sites"),
        (["dynamics.length_trainable=true"], r"dynamics\.length_trainable=True: .*set it to false"),
        (
            ["theory=u1_2d", "dynamics.network=dense", "dynamics.integrator=leapfrog"],
            r"training\.lattice=\[4, 4\]: dense networks hold the lattice size",
        ),
        (
            ["sampler=fthmc", "flow=stout", "loss.form=plain", "training.lattice=[4,3]"],
            r"training\.lattice=\[4, 3\]: ",
        ),
    ],
)
def test_bad_settings(overrides: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        validate(settings(*overrides))
