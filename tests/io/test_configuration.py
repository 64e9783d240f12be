"""Configurations: files of other codes have the numbers that those codes state, and what is written
here is read by readers that know the formats' descriptions alone."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import jax
import jax.numpy as jnp
import layouts
import numpy as np
import pytest

from gaugemc.groups import SUN, U1
from gaugemc.io import ConfigurationError, read_configuration, write_configuration
from gaugemc.spaces import Links

DATA = Path(__file__).parent.parent / "data" / "configurations"
FILES = [
    # file, format, lattice, plaquette, of space and of time, link trace, checksum
    (
        "analysistoolbox_nersc.l8t4b3360",
        "nersc",
        (8, 8, 8, 4),
        0.5038664469,
        (),
        0.005406083858,
        "b379560a",
    ),
    (
        "analysistoolbox_ildg.l8t4b3360",
        "ildg",
        (8, 8, 8, 4),
        0.5038664469,
        (),
        0.005406083858,
        "10d0ea1a a6a1b3b8",
    ),
    ("qdpxx_t_nersc.cfg", "nersc", (4, 4, 4, 4), 0.0382422893, (), 0.4630322094, "717938df"),
    (
        "pyquda_weak_field.lime",
        "ildg",
        (4, 4, 4, 8),
        0.9948041322666998,
        (0.9947985783413031, 0.9948096861920964),
        None,
        "a2c41090 11193c39",
    ),
    (
        "milc_lat.sample.l4448",
        "milc",
        (4, 4, 4, 8),
        None,
        (1.723748 / 3, 1.690586 / 3),
        6.921659e-02,
        "13f3b413 161f7dde",
    ),
    (
        "milc_lat.sample.l4448.scidac",
        "ildg",
        (4, 4, 4, 8),
        None,
        (1.723748 / 3, 1.690586 / 3),
        6.921659e-02,
        "1c5a6cb5 5dea327a",
    ),
    (
        "milc_lat.sample.l4444.ildg",
        "ildg",
        (4, 4, 4, 4),
        None,
        (1.794675 / 3, 1.774426 / 3),
        6.467587e-01,
        "37affb9c 2fc07bbf",
    ),
]


def random_links(key: jax.Array, lattice: tuple[int, ...], n: int = 3) -> np.ndarray:
    return np.array(Links(SUN(n), lattice).random(key))


def planes(links: np.ndarray) -> tuple[float, float]:
    """The plaquette of the planes without and with the last direction."""
    means = {}
    for mu in range(4):
        for nu in range(mu + 1, 4):
            right, up = np.roll(links[nu], -1, mu), np.roll(links[mu], -1, nu)
            back = np.swapaxes(np.conj(links[nu] @ up), -1, -2)
            loops = np.einsum("...ij,...ji", links[mu] @ right, back)
            means[mu, nu] = loops.real.mean() / links.shape[-1]
    time = [value for (_, nu), value in means.items() if nu == 3]
    space = [value for (_, nu), value in means.items() if nu != 3]
    return float(np.mean(space)), float(np.mean(time))


@pytest.mark.parametrize(
    ("name", "format", "lattice", "plaquette", "parts", "trace", "checksum"), FILES
)
def test_files_of_other_codes_have_the_numbers_that_those_state(
    name: str,
    format: str,
    lattice: tuple[int, ...],
    plaquette: float | None,
    parts: tuple[float, ...],
    trace: float | None,
    checksum: str,
) -> None:
    found = read_configuration(DATA / name)
    assert found.format == format
    assert found.space.lattice == lattice
    assert found.space.group == SUN(3)
    assert found.links.shape == (4, *lattice, 3, 3)
    assert found.checksum == checksum
    digits = 2e-10 if plaquette else 1e-6
    assert found.plaquette == pytest.approx(plaquette or np.mean(parts), abs=digits)
    assert np.mean(planes(found.links)) == pytest.approx(found.plaquette, abs=1e-7)
    if parts:
        double = found.links.dtype == np.complex128
        assert planes(found.links) == pytest.approx(parts, abs=1e-14 if double else 5e-7)
    if trace is not None:
        assert found.link_trace == pytest.approx(trace, abs=1e-9 if plaquette else 5e-8)


def test_one_configuration_in_two_formats_has_the_same_links() -> None:
    nersc, ildg = (DATA / f"analysistoolbox_{name}.l8t4b3360" for name in ("nersc", "ildg"))
    a, b = read_configuration(nersc).links, read_configuration(ildg).links
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-15)
    milc, scidac = (DATA / f"milc_lat.sample.l4448{end}" for end in ("", ".scidac"))
    np.testing.assert_array_equal(read_configuration(milc).links, read_configuration(scidac).links)


def test_a_file_that_does_not_say_its_lattice_needs_it() -> None:
    path = DATA / "latticeqcdjl_heatbath_su2_4444.ildg"
    with pytest.raises(ConfigurationError, match="lattice: the file does not say it; give"):
        read_configuration(path)
    found = read_configuration(path, lattice=(4, 4, 4, 4), group=SUN(2))
    assert found.space.group == SUN(2)
    assert found.plaquette == pytest.approx(0.477641263313, abs=1e-12)
    assert planes(found.links) == pytest.approx((0.4823491081, 0.4729334185), abs=1e-10)


@pytest.mark.parametrize("point", ["IEEE32", "IEEE64BIG", "IEEE32LITTLE", "IEEE64LITTLE"])
@pytest.mark.parametrize("rows", [2, 3])
def test_nersc_is_read(key: jax.Array, tmp_path: Path, point: str, rows: int) -> None:
    links = random_links(key, (2, 3, 4, 5))
    layouts.write_nersc(tmp_path / "a", links, point, rows)
    found = read_configuration(tmp_path / "a")
    single = "32" in point
    assert found.links.dtype == (np.complex64 if single else np.complex128)
    np.testing.assert_allclose(found.links, links, rtol=0, atol=1e-6 if single else 1e-14)


@pytest.mark.parametrize("order", ["<", ">"])
def test_milc_is_read(key: jax.Array, tmp_path: Path, order: str) -> None:
    links = random_links(key, (2, 3, 4, 5))
    layouts.write_milc(tmp_path / "a", links, order)
    found = read_configuration(tmp_path / "a")
    assert found.format == "milc"
    np.testing.assert_array_equal(found.links, links.astype(np.complex64))


def test_openqcd_is_read(key: jax.Array, tmp_path: Path) -> None:
    links = random_links(key, (2, 6, 4, 8))
    layouts.write_openqcd(tmp_path / "a", links)
    found = read_configuration(tmp_path / "a")
    assert (found.format, found.checksum) == ("openqcd", "")
    np.testing.assert_array_equal(found.links, links)


@pytest.mark.parametrize(("n", "real"), [(2, "f"), (3, "d"), (4, "f")])
def test_a_bare_record_says_group_and_precision_by_its_size(
    key: jax.Array, tmp_path: Path, n: int, real: str
) -> None:
    links = random_links(key, (2, 3, 4, 5), n)
    data = layouts.body(links, ">", real)
    (tmp_path / "a").write_bytes(layouts.lime_record("ildg-binary-data", data, 0xC000))
    found = read_configuration(tmp_path / "a", lattice=(2, 3, 4, 5))
    assert found.space.group == SUN(n)
    np.testing.assert_allclose(found.links, links, rtol=0, atol=1e-6 if real == "f" else 0)


@pytest.mark.parametrize("precision", ["fp32", "fp64"])
@pytest.mark.parametrize("two_rows", [False, True])
@pytest.mark.parametrize("little_endian", [False, True])
def test_an_independent_reader_reads_nersc(
    key: jax.Array, tmp_path: Path, precision: str, two_rows: bool, little_endian: bool
) -> None:
    links = random_links(key, (2, 3, 4, 5))
    path = tmp_path / "a.nersc"
    done = write_configuration(
        path, links, precision=precision, two_rows=two_rows, little_endian=little_endian
    )
    header, data = layouts.read_nersc(path)
    order, real = "<" if little_endian else ">", "f" if precision == "fp32" else "d"
    stored = links.astype(done.links.dtype)
    assert data == layouts.body(stored, order, real, 2 if two_rows else 3)
    assert header["DATATYPE"] == ("4D_SU3_GAUGE" if two_rows else "4D_SU3_GAUGE_3x3")
    bits, end = precision[2:], "LITTLE" if little_endian else "BIG"
    assert header["FLOATING_POINT"] == f"IEEE{bits}{end}"
    assert [header[f"DIMENSION_{i}"] for i in range(1, 5)] == ["2", "3", "4", "5"]
    assert int(header["CHECKSUM"], 16) == layouts.word_sum(data, order)
    assert float(header["PLAQUETTE"]) == pytest.approx(layouts.plaquette(stored), abs=1e-7)
    assert float(header["LINK_TRACE"]) == pytest.approx(layouts.link_trace(stored), abs=1e-7)
    assert done.checksum == header["CHECKSUM"]


@pytest.mark.parametrize(
    ("name", "checksum"),
    [("milc_lat.sample.l4448", "b3be9b3b"), ("milc_lat.sample.l4444.ildg", "ffc4bb26")],
)
def test_milc_states_the_checksum_of_two_rows(tmp_path: Path, name: str, checksum: str) -> None:
    links = read_configuration(DATA / name).links
    done = write_configuration(tmp_path / "a", links, "nersc", two_rows=True)
    assert done.checksum == checksum


@pytest.mark.parametrize(("precision", "letter"), [("fp32", "F"), ("fp64", "D")])
@pytest.mark.parametrize("n", [2, 3])
def test_an_independent_reader_reads_ildg(
    key: jax.Array, tmp_path: Path, precision: str, letter: str, n: int
) -> None:
    """The order of records, and the flags of their two messages, are QIO's."""
    links = random_links(key, (2, 3, 4, 5), n)
    path = tmp_path / "a.lime"
    done = write_configuration(path, links, precision=precision, lfn="lfn://a/b")
    records = layouts.lime_records(path)
    assert [(name, flags) for name, flags, _ in records] == [
        ("scidac-private-file-xml", 0x8000),
        ("scidac-file-xml", 0x4000),
        ("scidac-private-record-xml", 0x8000),
        ("scidac-record-xml", 0),
        ("ildg-format", 0),
        ("ildg-binary-data", 0),
        ("ildg-data-lfn", 0),
        ("scidac-checksum", 0x4000),
    ]
    file, _, record, _, said, data, lfn, sums = (data for _, _, data in records)
    bits = int(precision[2:])
    assert layouts.element(file, "dims") == "2 3 4 5"
    assert layouts.element(record, "datatype") == f"QDP_{letter}{n}_ColorMatrix"
    assert layouts.element(record, "precision") == letter
    assert layouts.element(record, "typesize") == str(n * n * bits // 4)
    assert [layouts.element(said, f"l{name}") for name in "xyzt"] == ["2", "3", "4", "5"]
    assert layouts.element(said, "field") == f"su{n}gauge"
    assert layouts.element(said, "precision") == str(bits)
    real = "f" if bits == 32 else "d"
    found = layouts.links_of(data, (2, 3, 4, 5), n, ">", real)
    np.testing.assert_array_equal(found, done.links)
    assert lfn == b"lfn://a/b\0"
    stated = layouts.element(sums, "suma"), layouts.element(sums, "sumb")
    assert stated == layouts.scidac_sums(data, n * n * bits) == tuple(done.checksum.split())


def test_other_programs_can_read_hdf5(key: jax.Array, tmp_path: Path) -> None:
    links = random_links(key, (2, 3, 4, 5))
    write_configuration(tmp_path / "a.h5", links)
    with h5py.File(tmp_path / "a.h5", "r") as file:
        stored = file["links"]
        assert isinstance(stored, h5py.Dataset)
        np.testing.assert_array_equal(stored[...], links)
        assert file.attrs["plaquette"] == pytest.approx(layouts.plaquette(links), abs=1e-14)


SPACES = [Links(U1(), (4, 6)), Links(U1(), (2, 3, 4), jnp.float32), Links(SUN(2), (4, 4))]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_hdf5_holds_every_group_and_dimension(key: jax.Array, tmp_path: Path, space: Links) -> None:
    links = space.random(key)
    write_configuration(tmp_path / "a.hdf5", links)
    found = read_configuration(tmp_path / "a.hdf5", lattice=space.lattice, group=space.group)
    assert (found.format, found.space.name) == ("hdf5", space.name)
    assert found.links.dtype == links.dtype
    np.testing.assert_array_equal(found.links, links)


@pytest.mark.parametrize("format", ["nersc", "ildg", "hdf5"])
def test_what_was_written_is_read_bit_for_bit(key: jax.Array, tmp_path: Path, format: str) -> None:
    links = random_links(key, (2, 3, 4, 5))
    written = write_configuration(tmp_path / "a", links, format)
    found = read_configuration(tmp_path / "a")
    np.testing.assert_array_equal(found.links, links)
    assert found[1:] == written[1:]
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_reading_does_not_depend_on_jax_x64() -> None:
    path = DATA / "pyquda_weak_field.lime"
    with jax.enable_x64(False):
        found = read_configuration(path)
    assert found.plaquette == pytest.approx(0.9948041322666998, abs=1e-14)


LARGE = """
import sys
from pathlib import Path
import numpy as np
from gaugemc.io import read_configuration, write_configuration

def most():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024

path, format = Path(sys.argv[1]), sys.argv[2]
links = np.zeros((4, 16, 16, 16, 64, 3, 3), complex)
links[:] = np.eye(3)
write_configuration(path, links[:, :, :, :, :2], format)  # compiles
read_configuration(path)
before = most()
write_configuration(path, links, format)
print((most() - before) / links.nbytes)
size, links = links.nbytes, None
free = np.ones(size // 8)  # what was given back is in use again
before = most()
found = read_configuration(path)
print((most() - before) / size)
"""


@pytest.mark.parametrize("format", ["nersc", "ildg", "hdf5"])
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_a_large_file_never_needs_twice_its_size(tmp_path: Path, format: str) -> None:
    """144 MiB. The largest memory of the process alone: getrusage also counts its parent's."""
    command = [sys.executable, "-c", LARGE, str(tmp_path / "a"), format]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    writing, reading = map(float, done.stdout.split())
    assert writing < 0.5
    assert 0.8 < reading < 1.5


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (Links(U1(), (4, 4)), {"format": "nersc"}, "nersc holds 4D SU(N) links, not 2D U(1) links on"),
    (Links(SUN(3), (4, 4)), {"format": "ildg"}, "ildg holds 4D SU(N) links, not 2D SU(3) links on"),
    (
        Links(SUN(2), (2,) * 4),
        {"two_rows": True},
        "two_rows: nersc has them for SU(3), not for SU(2)",
    ),
    (Links(SUN(3), (2,) * 4), {"format": "milc"}, "format 'milc': choose one of nersc (.nersc),"),
    (Links(SUN(3), (2,) * 4), {"precision": "bf16"}, "precision 'bf16': choose one of fp32, fp64"),
    (
        Links(SUN(3), (2,) * 4),
        {"rows": 2},
        "rows: no option of nersc, which has two_rows, little_endian",
    ),
    (
        np.full((4, 2, 2, 2, 2, 3, 3), np.nan + 0j),
        {},
        "links are nan away from SU(3), more than 1e-05",
    ),
    (np.zeros((4, 2, 2, 2, 2, 3, 3), complex), {}, "links are 1 away from SU(3), more than 1e-05"),
    (
        np.zeros((4, 2, 2, 2, 2, 3, 2), complex),
        {},
        "array of complex128, shape [4, 2, 2, 2, 2, 3, 2]: ",
    ),
    (
        np.zeros((3, 2, 2, 2, 2, 3, 3), complex),
        {},
        "array of complex128, shape [3, 2, 2, 2, 2, 3, 3]: ",
    ),
    (np.zeros((4, 2, 2, 2, 2, 3, 3), int), {}, "array of int64, shape [4, 2, 2, 2, 2, 3, 3]: "),
    (np.float64(1), {}, "array of float64, shape []: "),
]


@pytest.mark.parametrize(("given", "options", "message"), REFUSED, ids=[r[2] for r in REFUSED])
def test_what_a_format_cannot_hold_is_refused(
    tmp_path: Path, given: Any, options: dict[str, Any], message: str
) -> None:
    links = given.origin() if isinstance(given, Links) else np.asarray(given)
    path = tmp_path / "a.nersc"
    path.write_text("old")
    with pytest.raises(ConfigurationError) as caught:
        write_configuration(path, links, **options)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_matrices_of_another_determinant_are_refused(key: jax.Array, tmp_path: Path) -> None:
    links = random_links(key, (2, 2, 2, 2))
    links[0, 0, 0, 0, 0] *= np.exp(0.1j)
    with pytest.raises(ConfigurationError, match=r"links are 0\.299 away from SU\(3\)"):
        write_configuration(tmp_path / "a.h5", links)


def test_a_suffix_that_says_no_format_is_refused(key: jax.Array, tmp_path: Path) -> None:
    links = random_links(key, (2, 2, 2, 2))
    with pytest.raises(ConfigurationError, match=r"suffix '.cfg': choose one of nersc \(.nersc\)"):
        write_configuration(tmp_path / "a.cfg", links)
