"""Ensembles: what was written is what is read, or one line says why not."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.chains.driver import Draws
from gaugemc.io import read_configurations, read_draws, write_draws
from gaugemc.samplers import ComposeInfo, Info

CHAINS, DRAWS = 3, 5


@pytest.fixture
def draws() -> Draws:
    noise = np.random.default_rng(1)
    shape = (CHAINS, DRAWS)
    observables = {
        "plaquette": noise.normal(size=shape),
        "charge": noise.integers(-2, 3, shape),
        "loops": noise.normal(size=(*shape, 4)).astype(np.float32),
    }
    info = [noise.normal(size=shape) for _ in Info._fields]
    return Draws(observables, Info(noise.random(shape) < 0.5, *info[1:]))  # pyright: ignore


def assert_same(a: Draws, b: Draws) -> None:
    for left, right in ((a.observables, b.observables), (a.info._asdict(), b.info._asdict())):
        assert left.keys() == right.keys()
        for name in left:
            assert left[name].dtype == right[name].dtype
            np.testing.assert_array_equal(left[name], right[name])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_round_trip(draws: Draws, tmp_path: Path, dtype: type) -> None:
    attributes = {
        "theory": "u1_2d",
        "beta": 6.0,
        "warmup": 100,
        "strict": True,
        "lattice": [8, 8],
        "seed": 2**40,
    }
    fields = np.random.default_rng(2).normal(size=(CHAINS, DRAWS, 2, 4, 4)) * (1 + 1j)
    fields = (fields if np.issubdtype(dtype, np.complexfloating) else fields.real).astype(dtype)
    write_draws(tmp_path / "a.h5", draws, attributes, fields)
    loaded, read = read_draws(tmp_path / "a.h5")
    assert_same(loaded, draws)
    assert read == attributes
    assert {k: type(v) for k, v in read.items()} == {k: type(v) for k, v in attributes.items()}
    configurations = read_configurations(tmp_path / "a.h5")
    assert configurations is not None
    assert configurations.dtype == dtype
    np.testing.assert_array_equal(configurations, fields)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.h5"]


def test_other_programs_can_read_it(draws: Draws, tmp_path: Path) -> None:
    write_draws(tmp_path / "a.h5", draws, {"warmup": 100})
    with h5py.File(tmp_path / "a.h5", "r") as file:
        plaquette = file["observables/plaquette"]
        assert isinstance(plaquette, h5py.Dataset)
        np.testing.assert_array_equal(plaquette[...], draws.observables["plaquette"])
        assert [axis.label for axis in plaquette.dims] == ["chain", "draw"]
        assert set(file["info"]) == set(Info._fields)  # pyright: ignore
        assert file.attrs["warmup"] == 100


def test_infos_of_members_are_read_back(draws: Draws, tmp_path: Path) -> None:
    """Of a composition in a composition, with more than ten members: not in the order of names."""
    own = draws.info
    places = [np.full((CHAINS, DRAWS), place % 3 == 0) for place in range(12)]
    members = tuple(own._replace(delta_h=np.full((CHAINS, DRAWS), float(i))) for i in range(12))
    inner = ComposeInfo(*own, members=members, moved=tuple(places))  # pyright: ignore
    info = ComposeInfo(*own, members=(own, inner), moved=(places[0], places[1]))  # pyright: ignore
    write_draws(tmp_path / "a.h5", draws._replace(info=info), {})
    loaded, _ = read_draws(tmp_path / "a.h5")
    assert jax.tree.structure(loaded.info) == jax.tree.structure(info)
    jax.tree.map(np.testing.assert_array_equal, loaded.info, info)


def test_without_configurations_and_observables(draws: Draws, tmp_path: Path) -> None:
    write_draws(tmp_path / "a.h5", draws._replace(observables={}), {})
    assert read_configurations(tmp_path / "a.h5") is None
    loaded, attributes = read_draws(tmp_path / "a.h5")
    assert loaded.observables == attributes == {}


@pytest.mark.parametrize("count", [1, DRAWS])
def test_configurations_are_those_of_the_last_draws(
    draws: Draws, tmp_path: Path, count: int
) -> None:
    fields = np.arange(CHAINS * count * 4.0).reshape(CHAINS, count, 4)
    write_draws(tmp_path / "a.h5", draws, {}, fields)
    np.testing.assert_array_equal(read_configurations(tmp_path / "a.h5"), fields)


ATTRIBUTES = [[], "", ["a", "µ"], [True, False], [1.5, 2], 2**64 - 1, -(2**63), [0.1, -0.0]]


@pytest.mark.parametrize("value", ATTRIBUTES, ids=repr)
def test_an_attribute_comes_back(draws: Draws, tmp_path: Path, value: Any) -> None:
    write_draws(tmp_path / "a.h5", draws, {"value": value})
    read = read_draws(tmp_path / "a.h5")[1]["value"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2**64, "does not fit into 64 bits"),
        (-(2**63) - 1, "does not fit into 64 bits"),
        ([2**63 + 1, 1], "does not fit into 64 bits"),
        ([2**60 + 1, 0.5], "does not fit into 64 bits"),
        ([1, "a"], "attribute value is a list of int and str"),
        ([True, 2], "attribute value is a list of bool and int"),
        ([[1, 2], [3]], "attribute value is a list of list"),
        (None, "attribute value is a NoneType"),
        (np.float32(1), "attribute value is a float32"),
        ("a\0b", "NULL"),
        (list(range(20_000)), "too large"),
    ],
    ids=lambda v: repr(v)[:30],
)
def test_an_attribute_that_would_not_come_back_is_refused(
    draws: Draws, tmp_path: Path, value: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        write_draws(tmp_path / "a.h5", draws, {"value": value})
    assert str(caught.value).startswith(f"{tmp_path / 'a.h5'}: ")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a/b", "/a", "", ".", "a\0"])
def test_a_name_that_hdf5_reads_otherwise_is_refused(
    draws: Draws, tmp_path: Path, name: str
) -> None:
    observables = {**draws.observables, name: np.zeros((CHAINS, DRAWS))}
    with pytest.raises(ValueError, match="cannot name a quantity"):
        write_draws(tmp_path / "a.h5", draws._replace(observables=observables), {})
    assert list(tmp_path.iterdir()) == []


TYPES = [
    ("bfloat16", "float32"),
    ("float8_e4m3fn", "float32"),
    ("float16", "float16"),
    ("int4", "int8"),
    ("uint4", "uint8"),
    ("uint64", "uint64"),
    ("bool", "bool"),
]


@pytest.mark.parametrize(("given", "stored"), TYPES, ids=[t[0] for t in TYPES])
def test_types_that_hdf5_lacks_are_stored_exactly(
    draws: Draws, tmp_path: Path, given: str, stored: str
) -> None:
    values = np.arange(CHAINS * DRAWS).reshape(CHAINS, DRAWS) % 7
    array = values.astype(jnp.dtype(given))
    write_draws(tmp_path / "a.h5", draws._replace(observables={"o": array}), {}, array[..., None])
    read = read_draws(tmp_path / "a.h5")[0].observables["o"]
    assert read.dtype == stored
    np.testing.assert_array_equal(read, array.astype(stored))
    np.testing.assert_array_equal(read_configurations(tmp_path / "a.h5"), read[..., None])


@pytest.mark.parametrize("dtype", ["U3", "O", "M8[s]"])
def test_what_is_no_number_is_refused(draws: Draws, tmp_path: Path, dtype: str) -> None:
    array = np.zeros((CHAINS, DRAWS)).astype(dtype)
    with pytest.raises(ValueError, match=r"o has dtype .*: only numbers can be stored"):
        write_draws(tmp_path / "a.h5", draws._replace(observables={"o": array}), {})


def test_what_does_not_belong_together_is_refused(draws: Draws, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    for shape in ((CHAINS, DRAWS + 1, 2), (CHAINS + 1, 1, 2), (CHAINS,)):
        with pytest.raises(ValueError, match=r"a\.h5: configurations of \[chain, draw\]"):
            write_draws(path, draws, {}, np.zeros(shape))
    longer = {**draws.observables, "more": np.zeros((CHAINS, DRAWS + 1))}
    with pytest.raises(ValueError, match=r"a\.h5: quantities of different \[chain, draw\]"):
        write_draws(path, draws._replace(observables=longer), {})
    with pytest.raises(ValueError, match=r"a\.h5: attribute theory is a dict"):
        write_draws(path, draws, {"theory": {"beta": 6.0}})
    assert not path.exists()


def test_flipped_bits_and_truncation_are_detected(draws: Draws, tmp_path: Path) -> None:
    """300 bits and 100 lengths from a fixed seed; the whole user block, which HDF5 skips."""
    path = tmp_path / "a.h5"
    write_draws(path, draws, {"seed": 1})
    data, chance = path.read_bytes(), random.Random(1)
    damaged = [data[: chance.randrange(len(data))] for _ in range(100)] + [b"", data + b"\0"]
    for position in [*range(512), *(chance.randrange(len(data)) for _ in range(300))]:
        flipped = bytearray(data)
        flipped[position] ^= 1 << chance.randrange(8)
        damaged.append(bytes(flipped))
    for content in damaged:
        path.write_bytes(content)
        for read in (read_draws, read_configurations):
            with pytest.raises(ValueError, match="cannot be read as an ensemble") as caught:
                read(path)
            assert str(caught.value).startswith(f"{path}: ")
            assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["observables"] = 1
    with pytest.raises(ValueError, match="not a gaugemc ensemble"):
        read_draws(path)
    with pytest.raises(FileNotFoundError):
        read_draws(tmp_path / "absent.h5")


FULL_DISK = """
import resource, sys
import numpy as np
from gaugemc.io import read_draws, write_draws
draws, _ = read_draws(sys.argv[1])
for room in (0, 3000, 600_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, -1))
    try:
        write_draws(sys.argv[1], draws, {}, np.ones((3, 5, 10_000)))
    except OSError as error:
        print(error)
"""


def test_where_the_file_does_not_fit_the_old_one_stays(draws: Draws, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_draws(path, draws, {"seed": 1})
    command = [sys.executable, "-c", FULL_DISK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"[Errno 27] cannot write: File too large: '{path}'"] * 3
    loaded, attributes = read_draws(path)
    assert_same(loaded, draws)
    assert attributes == {"seed": 1}
    assert list(tmp_path.iterdir()) == [path]
