"""Trackers of a run: several at once, none that ends it, and the curves of Weights & Biases."""

import csv
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from test_cli import TINY

from gaugemc.choices.choice import Track, TrackerChoice
from gaugemc.choices.settings import Settings
from gaugemc.run import tracking
from gaugemc.run.run_directory import RunDirectory


class Tracker(TrackerChoice):
    """Notes what it is asked to do, and fails where it is told to."""

    name: str = "noting"
    fails: Any = None
    seen: list[Any] = field(default_factory=list)

    def do(self, what: Any) -> None:
        self.seen.append(what)
        if what == self.fails:
            raise ValueError("no network\nat all")

    def track(self, settings: Any, path: Path, first_step: int) -> Any:
        self.do("call")

        @contextmanager
        def context() -> Iterator[Track]:
            self.do("begin")
            try:
                yield lambda step, row: self.do(step)
            except BaseException as error:
                self.do(type(error).__name__)
                raise
            self.do("end")

        return context()


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path)


def run_with(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch, *trackers: Tracker, error: Any = None
) -> str:
    """Track two steps; returns the log."""
    monkeypatch.setattr(tracking, "trackers", lambda _: trackers)
    with tracking.tracked(Settings(), directory, 1) as track:
        track(1, {})
        track(2, {})
        if error is not None:
            raise error
    return directory.log.read_text() if directory.log.exists() else ""


def test_all_trackers_see_all(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    both = Tracker(name="a"), Tracker(name="b")
    assert run_with(directory, monkeypatch, *both) == ""
    assert [one.seen for one in both] == [["call", "begin", 1, 2, "end"]] * 2


@pytest.mark.parametrize("moment", ["call", "begin", 1, 2, "end"])
def test_a_tracker_that_fails_is_left_out(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch, moment: Any
) -> None:
    bad, good = Tracker(name="bad", fails=moment), Tracker(name="good")
    (line,) = run_with(directory, monkeypatch, bad, good).splitlines()
    assert line.endswith(
        "warning: tracker=bad failed, and is left out: ValueError: no network at all"
    )
    assert moment in bad.seen
    assert {1, 2, "end"}.isdisjoint(bad.seen[bad.seen.index(moment) + 1 :])
    assert good.seen == ["call", "begin", 1, 2, "end"]


@pytest.mark.parametrize("error", [ValueError("of the run"), KeyboardInterrupt()])
def test_the_end_of_the_run_is_not_hidden(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    one = Tracker(name="one")
    with pytest.raises(type(error)):
        run_with(directory, monkeypatch, one, error=error)
    assert one.seen[-1] == type(error).__name__


def history(file: Path) -> list[dict[str, Any]]:
    """The rows in a file of an offline run: records in the format of LevelDB's log."""
    from wandb.proto.wandb_internal_pb2 import Record  # pyright: ignore

    data, position, whole, rows = file.read_bytes(), 7, b"", []
    while position + 7 <= len(data):
        if 32768 - position % 32768 < 7:  # the rest of a block that holds no record
            position += 32768 - position % 32768
            continue
        _, length, kind = struct.unpack("<IHB", data[position : position + 7])
        whole += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # a full record, or the last part of one
            record = Record.FromString(whole)
            items = record.history.item if record.WhichOneof("record_type") == "history" else []
            if items:
                rows.append(
                    {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in items}
                )
            whole = b""
    return rows


@pytest.mark.skipif(find_spec("wandb") is None, reason='wandb: pip install "gaugemc[wandb]"')
def test_the_curves_of_wandb_are_metrics_csv(tmp_path: Path) -> None:
    offline = {**os.environ, "WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    command = [*TINY, "tracker=wandb", "tracker.also=[tensorboard]", "hydra.run.dir=run"]
    subprocess.run(
        [sys.executable, "-m", "gaugemc", *command], cwd=tmp_path, env=offline, check=True
    )
    run = tmp_path / "run"
    with (run / "metrics.csv").open() as file:
        wanted = [
            {name: float(cell) for name, cell in row.items() if cell}
            for row in csv.DictReader(file)
        ]
    (file,) = run.glob("wandb/offline-run-*/run-*.wandb")
    *rows, last = history(file)
    found = [{k: v for k, v in row.items() if k in wanted[-1]} for row in rows]
    steps = [row["_step"] for row in rows]
    assert [{"step": float(step)} | row for step, row in zip(steps, found)] == wanted
    assert any(key.startswith("report") for key in last)
    assert any(key.startswith("figures") for key in last)
    assert "tracker" not in (run / "log.txt").read_text()
    assert list(run.glob("tensorboard/*"))
