"""What `convert`, `measure` and `evaluate.start` say of files that cannot be read: one line, the
exit code 2, or 1 where the machine forbids it; nothing is left behind."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., tuple[int, str, str]]
SOURCE = Path(__file__).parent / "data" / "configurations" / "milc_lat.sample.l4444.ildg"
DATA = SOURCE.read_bytes()
RUN = "theory=su3_4d", "theory.lattice=[4,4,4,4]", "sampler=hmc"
VERBS = {
    "convert": ("convert", "bad", "a.h5"),
    "measure": ("measure", "bad"),
    "start": (*RUN, "evaluate.start=bad"),
    "sweep": ("--multirun", *RUN, "evaluate.start=bad", "seed=1,2"),
}


def changed(place: int, byte: int) -> bytes:
    """The file with another byte."""
    return DATA[:place] + bytes([byte]) + DATA[place + 1 :]


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (lambda path: path.write_bytes(DATA[:5000]), "truncated: 'ildg-binary-data' has"),
    "magic": (lambda path: path.write_bytes(changed(0, 7)), "of no known format: nersc, ildg,"),
    "a link": (
        lambda path: path.write_bytes(changed(len(DATA) // 2, 7)),
        "the file says 37affb9c 2fc07bbf; damaged, or other byte order",
    ),
    "dimensions": (
        lambda path: path.write_bytes(DATA.replace(b"<lt>4<", b"<lt>6<")),
        "says two lattices, [4, 4, 4, 6] and [4, 4, 4, 4]",
    ),
    "a directory": (Path.mkdir, "bad: not a regular file"),
    "a FIFO": (os.mkfifo, "bad: not a regular file"),
    "empty": (Path.touch, "bad: empty: copy or write the file again"),
    "absent": (lambda path: None, "bad: No such file or directory"),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_one_line(command: Command, tmp_path: Path, verb: str, kind: str) -> None:
    make, message = BAD[kind]
    make(tmp_path / "bad")
    before = list(tmp_path.iterdir())
    code, out, err = command(*VERBS[verb])
    assert (code, out) == (2, "")
    assert err.startswith("gaugemc: ")
    assert err.count("\n") == 1
    assert message in err
    assert err.count(f"{tmp_path}/bad") <= 1
    assert list(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("verb", "code"), [("convert", 1), ("measure", 1), ("start", 2)])
def test_a_file_that_may_not_be_read_is_one_line(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, code: int
) -> None:
    """Who runs the tests may be root, who may read all."""
    (tmp_path / "bad").write_bytes(DATA)
    opened = Path.open

    def forbidden(path: Path, *how: Any, **more: Any) -> object:
        if path.name == "bad":
            raise PermissionError(13, os.strerror(13), str(path))
        return opened(path, *how, **more)

    monkeypatch.setattr(Path, "open", forbidden)
    found, out, err = command(*VERBS[verb])
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert "bad: Permission denied" in err
    assert [path.name for path in tmp_path.iterdir()] == ["bad"]


def test_numbers_that_do_not_fit_on_the_disk_leave_nothing(
    command: Command, tmp_path: Path, full_disk: None
) -> None:
    code, out, err = command("measure", SOURCE, "--out=a.json")
    assert (code, out) == (1, "")
    assert err == "gaugemc: a.json: cannot write: No space left on device\n"
    assert list(tmp_path.iterdir()) == []
