"""One writer: who holds a directory, who is refused, and what a death leaves."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import filelock
import pytest

from gaugemc.io.lock import LockedError, locked

HOLD = """
import sys, time
from gaugemc.io.lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_process_learns_who_holds_it_and_a_kill_releases_it(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder, holder.stdout:
        try:
            assert holder.stdout.readline() == "held\n"
            with (
                pytest.raises(LockedError, match="another process works there") as caught,
                locked(tmp_path),
            ):
                pass
        finally:
            holder.kill()
            holder.wait()
        since = json.loads((tmp_path / ".lock.json").read_text())["since"]
        for word in (str(tmp_path), os.uname().nodename, f"pid {holder.pid}", f"since {since}"):
            assert word in str(caught.value)
        assert "\n" not in str(caught.value)
        with locked(tmp_path) as lock:
            lock.confirm()
    assert not (tmp_path / ".lock.json").exists()


def test_a_link_to_the_directory_is_the_directory(tmp_path: Path) -> None:
    directory, link = tmp_path / "directory", tmp_path / "link"
    directory.mkdir()
    link.symlink_to(directory)
    with locked(link), pytest.raises(LockedError), locked(directory):
        pass
    with locked(directory) as lock:
        directory.rename(tmp_path / "moved")
        with pytest.raises(LockedError, match="removed or emptied"):
            lock.confirm()


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"), locked(tmp_path / "nowhere"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [errno.ENOSYS, errno.ENOLCK])
def test_without_locks_the_first_holder_finds_the_second_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: int
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise OSError(kind, os.strerror(kind))

    monkeypatch.setattr(filelock.FileLock, "acquire", refused)
    with locked(tmp_path) as first:
        assert not first.locked
        first.confirm()
        with locked(tmp_path) as second:
            second.confirm()
            with pytest.raises(LockedError, match=r"taken over by another process: host .*, pid"):
                first.confirm()


def test_a_directory_that_was_removed_is_not_written_again(tmp_path: Path) -> None:
    directory = tmp_path / "directory"
    directory.mkdir()
    with locked(directory) as lock:
        shutil.rmtree(directory)
        with pytest.raises(LockedError, match="was removed"):
            lock.confirm()
    assert list(tmp_path.iterdir()) == []
