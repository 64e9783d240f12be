"""Files that are damaged, lie or are no files: one line each, with both numbers, and nothing half
written."""

import os
import random
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import jax
import layouts
import numpy as np
import pytest

from gaugemc.groups import SUN
from gaugemc.io import ConfigurationError, read_configuration, write_configuration
from gaugemc.io.formats.hdf5 import MAGIC
from gaugemc.io.hdf5 import written
from gaugemc.spaces import Links

LATTICE = (2, 2, 2, 4)
FORMATS = ["nersc", "nersc of two rows", "ildg", "hdf5", "milc", "openqcd"]


@pytest.fixture(scope="module")
def links() -> np.ndarray:
    return np.array(Links(SUN(3), LATTICE).random(jax.random.key(1)))


def put(path: Path, links: np.ndarray, format: str) -> None:
    """A file of a format."""
    if format == "milc":
        layouts.write_milc(path, links, ">")
    elif format == "openqcd":
        layouts.write_openqcd(path, links)
    else:
        options: dict[str, Any] = {"two_rows": True} if "rows" in format else {}
        write_configuration(path, links, format.split()[0], **options)


def refusal(path: Path, **options: Any) -> str:
    """The one line that a file is refused with, without the path."""
    with pytest.raises(ConfigurationError) as caught:
        read_configuration(path, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


@contextmanager
def flipped(path: Path, place: int, bits: int) -> Iterator[None]:
    """Some bits of one byte of a file are flipped; a file that is written anew takes longer."""
    with path.open("r+b", buffering=0) as file:
        right = os.pread(file.fileno(), 1, place)
        os.pwrite(file.fileno(), bytes([right[0] ^ bits]), place)
        yield
        os.pwrite(file.fileno(), right, place)


@pytest.mark.parametrize("format", FORMATS)
def test_every_flipped_bit_is_refused_or_changes_nothing(
    links: np.ndarray, tmp_path: Path, format: str
) -> None:
    """One bit of each byte, from a fixed seed; 1000 bytes of openQCD's, which takes longer.

    A header may hold what nobody reads, or a last digit of a plaquette. Plaquette and links alone
    protect openQCD's file: what is read has the same plaquette.
    """
    path, small = tmp_path / "a", links[:, :, :, :, :2].astype(np.complex64)
    if format in ("nersc", "ildg", "hdf5"):  # which hold a smaller file
        small = np.array(Links(SUN(2), (2, 2, 2, 2), np.float32).random(jax.random.key(2)))
    put(path, links[:, :, :, :, :2] if format == "openqcd" else small, format)
    data, right = path.read_bytes(), read_configuration(path)
    chance, lines = random.Random(1), []
    places = range(len(data))
    for place in sorted(chance.sample(places, 1000)) if format == "openqcd" else places:
        with flipped(path, place, 1 << chance.randrange(8)):
            try:
                found = read_configuration(path)
            except ConfigurationError as error:
                lines.append(str(error))
                continue
        assert found.plaquette == pytest.approx(right.plaquette, abs=1e-12)
        unseen = 1e-8 if format == "openqcd" else 0
        np.testing.assert_allclose(found.links, right.links, rtol=0, atol=unseen)
    assert len(lines) > (300 if format == "openqcd" else 0.6 * len(data))
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("format", FORMATS)
def test_every_truncation_is_refused(links: np.ndarray, tmp_path: Path, format: str) -> None:
    path, chance = tmp_path / "a", random.Random(1)
    put(path, links, format)
    data = path.read_bytes()
    lengths = {*range(0, min(400, len(data)), 7), *chance.sample(range(len(data)), 50)}
    for length in [*sorted(lengths), len(data) - 1]:
        path.write_bytes(data[:length])
        refusal(path)
    path.write_bytes(data + b"\0" * 8)
    refusal(path)


NERSC: list[tuple[dict[str, Any], str]] = [
    ({"DIMENSION_4": 8}, "truncated: the data has 18432 bytes of 36864"),
    ({"DIMENSION_4": 2}, "too long: the data has 18432 bytes of 9216"),
    ({"DIMENSION_4": 0}, "lattice [2, 2, 2, 0]: needs four positive extents"),
    ({"DIMENSION_3": -2, "DIMENSION_4": -4}, "lattice [2, 2, -2, -4]: needs four positive"),
    ({"DIMENSION_3": 8, "DIMENSION_4": 1}, "lattice [2, 2, 8, 1]: needs two or more directions"),
    ({"DIMENSION_1": "two"}, "DIMENSION_1 = 'two': is no number"),
    ({"DIMENSION_1": None}, "the header has no DIMENSION_1"),
    ({"CHECKSUM": None}, "the header has no CHECKSUM"),
    ({"CHECKSUM": "1234567"}, ": the file says 01234567; damaged, or other byte order"),
    ({"PLAQUETTE": 0.5}, ": the file says 0.5"),
    ({"PLAQUETTE": "nan"}, ": the file says nan"),
    ({"LINK_TRACE": 0.25}, ": the file says 0.25"),
    ({"LINK_TRACE": ""}, "LINK_TRACE = '': is no number"),
    ({"DATATYPE": "4D_SU3_GAUGE"}, "too long: the data has 18432 bytes of 12288"),
    ({"DATATYPE": "4D_SU2_GAUGE"}, "DATATYPE = '4D_SU2_GAUGE': give 4D_SU3_GAUGE or"),
    ({"DATATYPE": "4D_SU4_GAUGE_4x4"}, "truncated: the data has 18432 bytes of 32768"),
    ({"DATATYPE": "4D_SU3_GAUGE_4x4"}, "DATATYPE = '4D_SU3_GAUGE_4x4': give"),
    ({"FLOATING_POINT": "IEEE32BIG"}, "too long: the data has 18432 bytes of 9216"),
    ({"FLOATING_POINT": "IEEE80"}, "FLOATING_POINT = 'IEEE80': choose one of IEEE32, IEEE64,"),
    ({"FLOATING_POINT": "IEEE64LITTLE"}, "damaged, or other byte order"),
]


@pytest.mark.parametrize(("words", "message"), NERSC, ids=[f"{w}" for w, _ in NERSC])
def test_a_header_that_lies_is_refused(
    links: np.ndarray, tmp_path: Path, words: dict[str, Any], message: str
) -> None:
    path = tmp_path / "a"
    layouts.write_nersc(path, links, "IEEE64BIG", 3, **words)
    assert message in refusal(path)


def test_another_byte_order_with_the_same_checksum_is_refused(
    links: np.ndarray, tmp_path: Path
) -> None:
    data = layouts.body(links, ">", "d")
    words = {"FLOATING_POINT": "IEEE64LITTLE", "CHECKSUM": f"{layouts.word_sum(data, '<'):x}"}
    layouts.write_nersc(tmp_path / "a", links, "IEEE64BIG", 3, **words)
    assert "away from SU(3), more than 1e-05" in refusal(tmp_path / "a")


@pytest.mark.parametrize("rows", [2, 3])
@pytest.mark.parametrize("factor", [1.001, np.nan])
def test_links_outside_the_group_are_refused(
    links: np.ndarray, tmp_path: Path, factor: float, rows: int
) -> None:
    wrong = links.copy()
    wrong[1, 1, 1, 1, 1] *= factor
    layouts.write_nersc(tmp_path / "a", wrong, "IEEE64BIG", rows)
    assert "away from SU(3), more than 1e-05" in refusal(tmp_path / "a")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"sites": 1}, "order of sites 1: only 0, x fastest, can be read"),
        ({"sum29": 1}, ": the file says 00000001 "),
        ({"sum31": 1}, " 00000001; damaged, or other byte order"),
        ({"magic": 20104}, "of no known format: nersc, ildg, hdf5, milc, openqcd"),
    ],
)
def test_milc_files_that_lie_are_refused(
    links: np.ndarray, tmp_path: Path, words: dict[str, int], message: str
) -> None:
    layouts.write_milc(tmp_path / "a", links, ">", **words)
    assert message in refusal(tmp_path / "a")


def test_openqcd_files_that_lie_are_refused(links: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a"
    layouts.write_openqcd(path, links)
    data = path.read_bytes()
    plaquette = layouts.plaquette(links)
    path.write_bytes(data[:16] + struct.pack("<d", 3 * plaquette + 1e-10) + data[24:])
    lie = plaquette + 1e-10 / 3
    assert refusal(path) == f"plaquette {plaquette:.14g}: the file says {lie:.14g}"
    path.write_bytes(struct.pack("<4i", 4, 2, 2, 3) + data[16:])
    assert refusal(path) == "lattice [2, 2, 3, 4]: openQCD has even extents alone"
    path.write_bytes(struct.pack("<4i", 4, 2, 2, 4) + data[16:])
    assert refusal(path) == "truncated: the data has 18432 bytes of 36864"


Change = Callable[[list[tuple[str, int, bytes]]], list[tuple[str, int, bytes]]]


def said(old: bytes, new: bytes) -> Change:
    return lambda records: [(name, f, data.replace(old, new)) for name, f, data in records]


def without(*names: str) -> Change:
    return lambda records: [record for record in records if record[0] not in names]


SCIDAC = ("scidac-private-file-xml", "scidac-private-record-xml")
LIME: list[tuple[Change, str]] = [
    (without("ildg-binary-data"), "holds 0 records of links: needs one"),
    (lambda records: [*records, records[5]], "holds 2 records of links: needs one"),
    (without("ildg-format", *SCIDAC), "lattice: the file does not say it; give the extents"),
    (said(b"<lt>4<", b"<lt>8<"), "says two lattices, [2, 2, 2, 8] and [2, 2, 2, 4]"),
    (said(b"2 2 2 4 ", b"2 2 2 "), "says two lattices, [2, 2, 2, 4] and [2, 2, 2]"),
    (said(b"<lt>4<", b"<lt>x<"), "'x' in XML: is no whole number"),
    (said(b"<lt>4</lt>", b""), "None in XML: is no whole number"),
    (said(b"su3gauge", b"su2gauge"), "the links have 18432 bytes: SU(2) in 64 bits on lattice"),
    (said(b"su3gauge", b"u1gauge"), "links of 'u1gauge' in '64' bits: needs suNgauge in 32"),
    (said(b"<precision>64<", b"<precision>32<"), "18432 bytes: SU(3) in 32 bits on lattice"),
    (said(b"<precision>64<", b"<precision>16<"), "links of 'su3gauge' in '16' bits: needs"),
    (said(b"</ildgFormat>", b"</ildg>"), "ildg-format is no XML: mismatched tag: line 1"),
    (said(b"<suma>", b"<suma>1"), "; damaged, or other byte order"),
    (said(b"<sumb>", b"<sumb>x"), "in XML: is no whole number"),
]


@pytest.mark.parametrize(("change", "message"), LIME, ids=[message for _, message in LIME])
def test_lime_files_that_lie_are_refused(
    links: np.ndarray, tmp_path: Path, change: Change, message: str
) -> None:
    path = tmp_path / "a"
    write_configuration(path, links, "ildg")
    records = change(layouts.lime_records(path))
    path.write_bytes(b"".join(layouts.lime_record(name, data, f) for name, f, data in records))
    assert message in refusal(path)


def test_a_lime_file_whose_records_do_not_follow_is_refused(
    links: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    write_configuration(path, links, "ildg")
    data = path.read_bytes()
    start = data.index(b"ildg-binary-data") + 128
    path.write_bytes(data[: start + 100])
    assert refusal(path) == "truncated: 'ildg-binary-data' has 100 bytes of 18432"
    path.write_bytes(data[: start - 100])
    assert refusal(path) == "truncated: 44 bytes of a record's header of 144"
    end = start + 18432
    path.write_bytes(data[:end] + b"x" + data[end + 1 :])
    assert refusal(path) == f"damaged: no record begins at byte {end}"


def test_hdf5_files_that_lie_are_refused(links: np.ndarray, tmp_path: Path) -> None:
    """Files of another program that writes true checksums."""
    path = tmp_path / "a"
    right: dict[str, Any] = {"plaquette": layouts.plaquette(links), "link_trace": 0.5}
    held = [
        (links, {}, "holds other data: "),
        (None, right, "has no links of its own"),
        (links, right, "link trace "),
        (
            np.real(links).astype(np.float16),
            right,
            "array of float16, shape [4, 2, 2, 2, 4, 3, 3]: ",
        ),
        (np.real(links).astype(int), right, "links are no array of real or complex numbers"),
        ("text", right, "links are no array of real or complex numbers"),
        (h5py.SoftLink("/links"), right, "has no links of its own"),
        (h5py.ExternalLink("b", "/links"), right, "has no links of its own"),
    ]
    for data, attributes, message in held:
        with written(path, MAGIC) as file:
            if data is not None:
                file["links"] = data
            file.attrs.update(attributes)
        assert refusal(path).startswith(message)


def test_hdf5_files_whose_links_are_elsewhere_are_refused(tmp_path: Path) -> None:
    """The checksum is of the file alone, and a small file may claim any size."""
    (tmp_path / "raw").write_bytes(bytes(2**10))
    kinds = [{"external": [("raw", 0, 2**10)]}, {"chunks": True}]
    for shape, kind in zip([(2, 8, 8), (2, 10**7, 10**7)], kinds):
        with written(tmp_path / "a", MAGIC) as file:
            file.create_dataset("links", shape, float, **kind)
        assert "are not all in the file" in refusal(tmp_path / "a")


def test_a_lime_file_without_a_checksum_is_read(links: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_configuration(path, links, "ildg")
    records = without("scidac-checksum", "ildg-format")(layouts.lime_records(path))
    path.write_bytes(b"".join(layouts.lime_record(name, data, f) for name, f, data in records))
    np.testing.assert_array_equal(read_configuration(path).links, links)


def test_what_is_no_file_of_a_configuration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"")
    assert refusal(path) == "empty: copy or write the file again"
    for data in (b"\x89HDF\r\n\x1a\n" + bytes(600), random.Random(1).randbytes(5000)):
        path.write_bytes(data)
        assert refusal(path) == "of no known format: nersc, ildg, hdf5, milc, openqcd"
    path.write_bytes(b"BEGIN_HEADER\n" + b"A = B\n" * 20_000)
    assert refusal(path) == "the header has no end: no END_HEADER"
    assert refusal(tmp_path) == "not a regular file"
    with pytest.raises(FileNotFoundError):
        read_configuration(tmp_path / "absent")


def test_a_pipe_is_not_waited_for(links: np.ndarray, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.h5")
    assert refusal(tmp_path / "a.h5") == "not a regular file"
    with pytest.raises(ConfigurationError, match="not a regular file"):
        write_configuration(tmp_path / "a.h5", links)
    assert (tmp_path / "a.h5").is_fifo()


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Root, who may read and write all, is nobody for a test."""
    user = os.geteuid()
    os.seteuid(user or 65534)
    yield
    os.seteuid(user)


def test_a_file_that_may_not_be_read_or_written_is_an_error(
    links: np.ndarray, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "a.h5"
    write_configuration(path, links)
    path.chmod(0)
    tmp_path.chmod(0o555)
    request.getfixturevalue("unprivileged")
    with pytest.raises(PermissionError, match="Permission denied"):
        read_configuration(path)
    with pytest.raises(PermissionError, match="Permission denied"):
        write_configuration(path, links)


def test_another_group_or_lattice_than_was_asked_for_is_refused(
    links: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "a.h5"
    write_configuration(path, links)
    assert refusal(path, group=SUN(2)) == "links of SU(3): not of SU(2)"
    assert refusal(path, lattice=(2, 2, 4, 2)) == "lattice [2, 2, 2, 4]: not [2, 2, 4, 2]"


FULL_DISK = """
import resource, sys
import numpy as np
from gaugemc.io import write_configuration
links = np.zeros((4, 4, 4, 4, 4, 3, 3), complex)
links[:] = np.eye(3)
for room in (0, 100, 3000, 100_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, -1))
    try:
        write_configuration(sys.argv[1], links, sys.argv[2])
    except OSError as error:
        print(error)
"""


@pytest.mark.parametrize("format", ["nersc", "ildg", "hdf5"])
def test_where_the_file_does_not_fit_the_old_one_stays(
    links: np.ndarray, tmp_path: Path, format: str
) -> None:
    path = tmp_path / "a"
    write_configuration(path, links, format)
    command = [sys.executable, "-c", FULL_DISK, str(path), format]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"[Errno 27] cannot write: File too large: '{path}'"] * 4
    np.testing.assert_array_equal(read_configuration(path).links, links)
    assert list(tmp_path.iterdir()) == [path]
