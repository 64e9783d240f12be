"""`gaugemc convert`: one line of what was written, or one line of what is wrong."""

import functools
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gaugemc.io import read_configuration

DATA = Path(__file__).parent / "data" / "configurations"
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def convert(command: Command) -> Command:
    return functools.partial(command, "convert")


def test_a_file_goes_through_every_format(convert: Command) -> None:
    source = DATA / "milc_lat.sample.l4448"
    steps = [
        (source, "a.lime", "ildg", "1c5a6cb5 5dea327a"),
        ("a.lime", "b.nersc", "nersc", None),
        ("b.nersc", "c.h5", "hdf5", None),
        ("c.h5", "d.scidac", "ildg", "1c5a6cb5 5dea327a"),
    ]
    for origin, target, format, checksum in steps:
        code, out, err = convert(origin, target)
        assert (code, err) == (0, "")
        assert out.startswith(
            f"{target}: {format}, 4D SU(3) links on 4x4x4x8, float32, plaquette 0.569055724369,"
            f" link trace 0.069216590061, checksum {checksum or ''}"
        )
    np.testing.assert_array_equal(
        read_configuration("d.scidac").links, read_configuration(source).links
    )


def test_how_a_file_is_written_can_be_said(convert: Command, tmp_path: Path) -> None:
    source = DATA / "latticeqcdjl_heatbath_su2_4444.ildg"
    how = ("--lattice=[4,4,4,4]", "--format=nersc", "--precision=fp32", "--little-endian")
    code, out, _ = convert(source, "a.cfg", *how)
    assert code == 0
    assert "4D SU(2) links on 4x4x4x4, float32, plaquette 0.47764126" in out
    header = (tmp_path / "a.cfg").read_bytes().partition(b"END_HEADER")[0].decode()
    assert "DATATYPE = 4D_SU2_GAUGE_2x2\n" in header
    assert "FLOATING_POINT = IEEE32LITTLE\n" in header


SOURCE = DATA / "milc_lat.sample.l4444.ildg"
MISTAKES = [
    ((SOURCE,), 2, "convert: the following arguments are required: OUT; gaugemc convert --help"),
    ((SOURCE, "a.h5", "--rows=2"), 2, "convert: unrecognized arguments: --rows=2"),
    ((SOURCE, "a.h5", "--lattice=4"), 2, f"{SOURCE}: lattice [4, 4, 4, 4]: not [4]"),
    ((SOURCE, "a.txt"), 2, "a.txt: suffix '.txt': choose one of nersc (.nersc), ildg (.ildg"),
    ((SOURCE, "a.h5", "--lfn=x"), 2, "a.h5: lfn: no option of hdf5, which has none"),
    ((SOURCE, "a.h5", "--format=lime"), 2, "a.h5: format 'lime': choose one of nersc"),
    ((DATA / "README.md", "a.h5"), 2, f"{DATA / 'README.md'}: of no known format: nersc, ildg"),
    ((DATA, "a.h5"), 2, f"{DATA}: not a regular file"),
    (("absent", "a.h5"), 2, "absent: No such file or directory"),
    ((SOURCE, "absent/a.h5"), 2, "absent/a.h5: cannot write: No such file or directory"),
    ((SOURCE, "absent/a.lime"), 2, "absent/a.lime: cannot write: No such file or directory"),
    ((SOURCE, os.devnull, "--format=hdf5"), 2, f"{os.devnull}: not a regular file"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), MISTAKES, ids=[m[2] for m in MISTAKES])
def test_a_mistake_is_one_line(
    convert: Command, tmp_path: Path, arguments: tuple[str | Path, ...], code: int, message: str
) -> None:
    done, out, err = convert(*arguments)
    assert (done, out) == (code, "")
    assert err.startswith(f"gaugemc: {message}")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fails_is_exit_code_1(
    convert: Command, tmp_path: Path, full_disk: None
) -> None:
    code, _, err = convert(SOURCE, "a.nersc")
    assert code == 1
    assert err == "gaugemc: a.nersc: cannot write: No space left on device\n"
    assert list(tmp_path.iterdir()) == []
