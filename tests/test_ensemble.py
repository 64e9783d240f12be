"""Ensembles: what was written is what is read, or one line says why not."""

import random
import subprocess
import sys
from pathlib import Path

import h5py
import jax
import numpy as np
import pytest

from gaugemc.io import read_configurations, read_draws, write_draws
from gaugemc.samplers import ComposeInfo, Info
from gaugemc.samplers.driver import Draws

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


def test_what_does_not_belong_together_is_refused(draws: Draws, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with pytest.raises(ValueError, match=r"a\.h5: quantities of different \[chain, draw\]"):
        write_draws(path, draws, {}, np.zeros((CHAINS, DRAWS + 1, 2)))
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
