"""The history of training in trackers: TensorBoard's own files, and calls of Weights & Biases."""

import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]

from gaugemc.choices import choice
from gaugemc.choices.choice import TrackerChoice
from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.choices.trackers.none import NoTracker
from gaugemc.choices.trackers.tensorboard import TensorBoard
from gaugemc.choices.trackers.wandb import WeightsAndBiases
from gaugemc.choices.tracking import trackers

ROWS = {10: {"step": 10, "loss": 2.0, "ess": None}, 20: {"step": 20, "loss": 1.5, "ess": 0.25}}


def track_rows(path: Path, tracker: TrackerChoice) -> None:
    with tracker.track(Settings(tracker=tracker, name="first"), path, 1) as track:
        for step, row in ROWS.items():
            track(step, row)


def events(path: Path) -> list[Event]:
    """All events of a file of TFRecords: length, its checksum, data, their checksum."""
    data, found = path.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        found.append(Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    return found


def test_tensorboard_reads_what_was_measured(tmp_path: Path):
    track_rows(tmp_path, TensorBoard())
    (file,) = (tmp_path / "tensorboard").iterdir()
    written = [(e.step, v.tag, v.simple_value) for e in events(file) for v in e.summary.value]
    assert written == [(10, "train/loss", 2.0), (20, "train/loss", 1.5), (20, "train/ess", 0.25)]


class WandbRun:
    """What `wandb.init` returns, as far as it is used."""

    id = "one"

    def __init__(self, calls: list[Any]):
        self.calls = calls

    def __enter__(self) -> "WandbRun":
        return self

    def __exit__(self, *_: Any) -> None:
        self.calls.append("end")

    def log(self, row: dict[str, Any], step: int | None = None, commit: bool = False) -> None:
        assert commit == (step is not None)  # a row that waits for the next is lost by a kill
        self.calls.append((step, row))

    def log_artifact(self, artifact: "WandbArtifact") -> None:
        self.calls.append(sorted(artifact.files))


class WandbArtifact:
    """What `wandb.Artifact` makes: files, which have to be there."""

    def __init__(self, name: str, kind: str):
        self.files: set[str] = set()

    def add_file(self, path: str) -> None:
        Path(path).read_text()
        self.files.add(Path(path).name)

    def add_dir(self, path: str, name: str) -> None:
        self.files |= {f"{name}/{file.name}" for file in Path(path).iterdir()}


def test_wandb_gets_the_configuration_and_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    calls: list[Any] = []
    started: list[dict[str, Any]] = []

    def init(**options: Any) -> WandbRun:
        started.append(options)
        return WandbRun(calls)

    wandb = SimpleNamespace(init=init, Artifact=WandbArtifact, Html=lambda text, inject: text)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/tau.svg").write_text("picture")
    for name in ("report.html", "summary.json", "metrics.csv"):
        (tmp_path / name).write_text("page")
    for _ in range(2):  # the second start goes on in the same run
        track_rows(tmp_path, WeightsAndBiases(project="flows"))
    assert calls[: len(calls) // 2] == [
        (10, {"loss": 2.0}),
        (20, {"loss": 1.5, "ess": 0.25}),
        ["figures/tau.svg", "metrics.csv", "report.html", "summary.json"],
        (None, {"report": "page", "figures/tau": "picture"}),
        "end",
    ]
    assert started[0] == started[1]
    assert started[0]["project"] == "flows"
    assert started[0]["config"]["training"]["steps"] == Settings().training.steps


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(choice, "find_spec", lambda _: None)
    NoTracker().refuse(Settings())
    with pytest.raises(SettingsError, match=r"tracker=wandb: .*pip install .gaugemc\[wandb"):
        WeightsAndBiases().refuse(Settings())


def test_several_trackers_each_once() -> None:
    several = Settings(tracker=WeightsAndBiases(also=["tensorboard", "none", "wandb"]))
    assert [tracker.name for tracker in trackers(several)] == ["wandb", "tensorboard"]
    with pytest.raises(SettingsError, match=r"tracker.also=\['mlflow'\]: mlflow: choose from none"):
        trackers(Settings(tracker=NoTracker(also=["mlflow"])))
