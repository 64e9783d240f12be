"""Run directories: names of their own, one owner, what may change, what is recorded."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from composed import composed
from omegaconf import OmegaConf

from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.choices.uses import used
from gaugemc.io.checkpoint import CheckpointError, checkpoint_path, save_checkpoint
from gaugemc.run import software
from gaugemc.run.extension import with_overrides
from gaugemc.run.run_directory import RunDirectory, RunDirectoryError, claimed


@pytest.fixture(scope="module")
def settings() -> Settings:
    return composed("mode=debug")


def created(path: Path, settings: Settings) -> RunDirectory:
    directory = RunDirectory(path)
    with directory.owned():
        directory.create(settings)
    return directory


def test_a_name_is_given_once(tmp_path: Path) -> None:
    gate = threading.Barrier(16)

    def claim(_: int) -> Path:
        gate.wait()
        return claimed(tmp_path / "a" / "b")

    with ThreadPoolExecutor(16) as pool:
        paths = set(pool.map(claim, range(16)))
    assert paths == {tmp_path / "a" / name for name in ["b", *(f"b-{i}" for i in range(1, 16))]}
    (tmp_path / "file").touch()
    with pytest.raises(RunDirectoryError, match="cannot be made: Not a directory"):
        claimed(tmp_path / "file" / "a" / "b")


def test_only_the_owner_writes(tmp_path: Path, settings: Settings) -> None:
    directory = created(tmp_path, settings)
    with pytest.raises(RunDirectoryError, match="only its owner writes here"):
        directory.write(directory.summary, "{}")
    with (
        directory.owned(),
        pytest.raises(RunDirectoryError, match="another process works there"),
        RunDirectory(tmp_path).owned(),
    ):
        pass
    left = [path / ".tmp-0123abcd-evaluate.h5" for path in (tmp_path, directory.chains)]
    for path in left:
        path.touch()
    with directory.owned():
        assert not any(path.exists() for path in left)


OTHERS = [
    ("theory.beta=5", ["theory.beta=5: ", "cannot change in a run", "start a new run"]),
    ("training.steps=900", ["training.steps=900: ", "flow.load=runs/a"]),
    ("evaluate.warmup=900", ["evaluate.warmup=900: ", "only evaluate.draws"]),
    ("nope=1", ["nope=1: ", "no such key", "evaluate.hmc_draws"]),
    ("+evaluate.draws=50", ["+evaluate.draws=50: ", "no such key"]),
    ("evaluate.draws", ["evaluate.draws=: ", "evaluate.draws=VALUE"]),
    ("evaluate.draws=many", ["evaluate.draws=many: ", "Integer"]),
]


@pytest.mark.parametrize(("override", "expected"), OTHERS, ids=[o[0] for o in OTHERS])
def test_only_more_draws_can_be_asked_for(
    settings: Settings, override: str, expected: list[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        with_overrides(settings, ["evaluate.draws=50", override], Path("runs/a"))
    assert "\n" not in str(caught.value)
    for words in expected:
        assert words in str(caught.value)


def test_more_draws_are_written_down(tmp_path: Path, settings: Settings) -> None:
    directory = created(tmp_path, settings)
    for name, draws in (("evaluate", 40), ("hmc", 100)):
        save_checkpoint(checkpoint_path(directory.checkpoints, name, draws), {}, {"draws": draws})
    before = directory.config.read_text()

    def extended(*overrides: str) -> None:
        with directory.owned():
            directory.create(with_overrides(settings, overrides, tmp_path), extend=True)

    with pytest.raises(SettingsError, match=r"evaluate\.draws=29: 30 are done.*choose 30 or more"):
        extended("evaluate.draws=29")
    with pytest.raises(SettingsError, match=r"evaluate\.hmc_draws=0: 60 are done"):
        extended("evaluate.hmc_draws=0")
    assert directory.config.read_text() == before
    extended("evaluate.draws=30", "evaluate.hmc_draws=500", "strict=true")
    stored = directory.settings().evaluate
    assert (stored.draws, stored.hmc_draws) == (30, 500)
    assert directory.config.read_text().splitlines()[0] == before.splitlines()[0]
    assert "evaluate.draws: 40 -> 30; evaluate.hmc_draws: 200 -> 500" in directory.log.read_text()
    with directory.owned(), pytest.raises(RunDirectoryError, match=r"or gaugemc resume .*draws=40"):
        directory.create(settings)


def test_other_software_is_recorded(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = created(tmp_path, settings)
    made_with = software.software()

    def record(**changes: Any) -> str | None:
        monkeypatch.setattr(software, "software", lambda: {**made_with, "date": "d", **changes})
        with directory.owned():
            return directory.record_software()

    assert record() is None
    assert directory.resumed_with() == []
    line = record(jax="9.9", git_commit="abc")
    assert line is not None
    assert "\n" not in line
    assert f"jax {made_with['jax']} -> 9.9" in line
    assert line in directory.log.read_text()
    assert record(jax="9.9", git_commit="abc") is None
    record(jax="9.9")
    assert directory.resumed_with() == [
        {"git_commit": "abc", "jax": "9.9", "date": "d"},
        {"git_commit": str(made_with["git_commit"]), "date": "d"},
    ]
    assert directory.settings() == settings


def test_a_program_without_git_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert software.git_commit() is None


@pytest.mark.parametrize(
    "text",
    ["a: [", "- 1\n- 2\n", "nope: 1\n", "theory: {nope: 1}\n", "seed: x\n", "\0", "", "text"],
    ids=repr,
)
def test_a_config_that_cannot_be_read_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(RunDirectoryError, match=r"config\.yaml cannot be read: .") as caught:
        RunDirectory(tmp_path).settings()
    assert "\n" not in str(caught.value)


def test_all_damaged_checkpoints_are_named(tmp_path: Path, settings: Settings) -> None:
    directory = created(tmp_path, settings)
    paths = [checkpoint_path(directory.checkpoints, "hmc", step) for step in (10, 20)]
    for path in paths:
        path.write_bytes(b"\0")
    with pytest.raises(CheckpointError, match="remove them to start hmc anew") as caught:
        directory.newest("hmc")
    assert "\n" not in str(caught.value)
    for path in paths:
        assert str(path) in str(caught.value)


def test_stored_settings_are_those_that_were_given(tmp_path: Path, settings: Settings) -> None:
    assert created(tmp_path, settings).settings() == settings
    assert OmegaConf.load(tmp_path / "config.yaml").seed == settings.seed


def test_strictness_belongs_to_the_command_that_asks_for_it(
    tmp_path: Path, settings: Settings
) -> None:
    directory = created(tmp_path, settings)
    wanted = with_overrides(settings, ["evaluate.draws=90", "strict=true"], tmp_path)
    with directory.owned():
        directory.create(wanted, extend=True)
    stored = directory.settings()
    assert (stored.evaluate.draws, stored.strict) == (90, False)


def test_a_config_from_before_the_choices_is_read(tmp_path: Path) -> None:
    """It has every key of every choice; the run is the same one, and goes on.

    Keys that came later have their defaults. The default of the learning rate was this number."""
    old = (Path(__file__).parent / "config-before-choices.yaml").read_text()
    (tmp_path / "config.yaml").write_text(old)
    numbers = (
        "draws=60 warmup=20 hmc_draws=60 hmc_warmup=20 lengths=[0.5,1] tune_draws=20 burn_in=200"
    )
    more = [f"evaluate.{number}" for number in (*numbers.split(), "tune_doublings=0")]
    train = ["training.batch=32", "training.ess_samples=256", "training.learning_rate=3e-3"]
    same = composed("mode=debug", *more, *train, "seed=3", "progress=false")
    assert used(RunDirectory(tmp_path).settings()) == used(same)
    created(tmp_path, same)
    assert (tmp_path / "config.yaml").read_text() == old
    with pytest.raises(RunDirectoryError, match=r"flow\.name=spline: .* run with flow\.name=ncp"):
        created(tmp_path, composed("mode=debug", *more, *train, "flow=spline"))


@pytest.mark.parametrize(
    ("theory", "word"),
    [
        ({"name": "4D SU(3)", "group": "SU3", "lattice": [2, 2, 2, 2], "beta": 5.7}, "su3_4d"),
        ({"name": "ring", "group": None, "lattice": [], "beta": 1.0, "toy": "ring"}, "ring"),
        ({"name": "my own", "group": "SU2", "lattice": [4, 4], "beta": 1.0}, "u1_2d"),
    ],
)
def test_a_theory_from_before_the_choices_is_recognised(
    tmp_path: Path, theory: dict[str, Any], word: str
) -> None:
    OmegaConf.save({"theory": theory, "sampler": {"name": "hmc"}}, tmp_path / "config.yaml")
    stored = RunDirectory(tmp_path).settings().theory
    assert stored.choice == word
    assert {key: getattr(stored, key) for key in theory} == theory


def test_only_what_is_used_is_stored(tmp_path: Path) -> None:
    """Also of an unused setting that was given: a second start is the same run."""
    given = composed("mode=debug", "sampler=heatbath", "flow=spline", "flow.bins=5")
    stored = OmegaConf.load(created(tmp_path, given).config)
    assert set(stored.sampler) == {"name", "integrator", "overrelaxation"}
    assert {"flow", "network", "dynamics", "loss", "training", "tracker"}.isdisjoint(stored)
    created(tmp_path, given)


def test_a_choice_that_is_not_installed_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("flow:\n  name: moebius\n")
    with pytest.raises(RunDirectoryError, match=r"cannot be read: flow\.name=moebius: choose one"):
        RunDirectory(tmp_path).settings()
