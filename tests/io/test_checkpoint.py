"""Checkpoints: bit-exact, and never half there."""

import errno
import logging
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gaugemc.io import (
    CheckpointError,
    checkpoint_path,
    latest_checkpoint,
    load_checkpoint,
    prune,
    read_metadata,
    save_checkpoint,
    write_atomically,
)


class Chain(NamedTuple):
    x: Any
    key: Any


class Network(eqx.Module):
    weight: jax.Array
    activation: Any
    width: int = eqx.field(static=True)


def bits(leaf: Any) -> Any:
    """All that a leaf is: its type, shape, dtype and bytes."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return "key", str(jax.random.key_impl(leaf)), bits(jax.random.key_data(leaf))
    if isinstance(leaf, jax.Array | np.ndarray | np.generic):
        kind = jax.Array if isinstance(leaf, jax.Array) else type(leaf)
        return kind, leaf.shape, leaf.dtype, np.asarray(leaf).tobytes()
    return type(leaf), repr(leaf)


def assert_same(a: Any, b: Any) -> None:
    assert jax.tree.structure(a) == jax.tree.structure(b)
    assert list(map(bits, jax.tree.leaves(a))) == list(map(bits, jax.tree.leaves(b)))


def everything(key: jax.Array) -> Any:
    """A pytree with a leaf of every kind."""
    network = Network(jax.random.normal(key, (8, 2, 3, 3), jnp.float32), jax.nn.tanh, 8)
    odd = np.array([0x7FF8000000000123, 0x8000000000000000, 1], np.uint64).view(np.float64)
    return {
        "network": network,
        "optimiser": optax.adam(1e-3).init(eqx.filter(network, eqx.is_array)),
        "chain": Chain(jax.random.normal(key, (2, 3), jnp.complex128), jax.random.split(key, 3)),
        "key": jax.random.key(7, impl="rbg"),
        "jax": [jnp.asarray(odd), jnp.arange(3, dtype=jnp.bfloat16), jnp.zeros((0, 4), jnp.int8)],
        "bools": jnp.asarray([True, False]),
        "numpy": [odd, np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.array(3, np.uint16)],
        "numpy scalars": (np.float32(0.1), np.bool_(True)),
        "python": (True, 2**70, -128, 127, 0, -1, 0.1, float("-inf"), -0.0, 1 - 2j, "gauge µ"),
        "nothing": None,
    }


def test_round_trip_is_bit_exact(key: jax.Array, tmp_path: Path) -> None:
    tree, metadata = everything(key), {"step": 500, "loss": 0.1, "theory": {"lattice": [8, 8]}}
    save_checkpoint(tmp_path / "a.ckpt", tree, metadata)
    blank = jax.tree.map(lambda a: jnp.zeros_like(a) if eqx.is_array(a) else a, tree["network"])
    loaded, read = load_checkpoint(tmp_path / "a.ckpt", {**tree, "network": blank})
    assert_same(loaded, tree)
    assert read == metadata == read_metadata(tmp_path / "a.ckpt")


def test_shapes_alone_suffice_to_load(key: jax.Array, tmp_path: Path) -> None:
    tree = everything(key)
    save_checkpoint(tmp_path / "a.ckpt", tree, {})
    shapes = eqx.filter_eval_shape(everything, key)
    assert_same(load_checkpoint(tmp_path / "a.ckpt", shapes)[0], tree)


def test_a_loaded_array_can_be_donated(tmp_path: Path) -> None:
    path, x = tmp_path / "a.ckpt", jnp.arange(1024.0)
    save_checkpoint(path, x, {})
    before = path.read_bytes()
    loaded, _ = load_checkpoint(path, x)
    jax.jit(lambda a: a + 1, donate_argnums=0)(loaded)
    assert path.read_bytes() == before
    assert_same(load_checkpoint(path, x)[0], x)


ANOTHER = "the checkpoint is of another architecture"


@pytest.mark.parametrize(
    ("like", "message"),
    [
        (
            {"net": {"w": jnp.zeros((16, 2, 3, 3), jnp.float32), "n": 1}},
            "leaf ['net']['w'] has shape (8, 2, 3, 3) in the file and (16, 2, 3, 3) in this run: "
            + ANOTHER,
        ),
        (
            {"net": {"w": jnp.zeros((8, 2, 3, 3), jnp.float64), "n": 1}},
            "leaf ['net']['w'] has dtype float32 in the file and float64 in this run: "
            "the checkpoint is of another precision",
        ),
        (
            {"net": {"w": jax.random.key(0), "n": 1}},
            f"leaf ['net']['w'] is of kind array in the file and key in this run: {ANOTHER}",
        ),
        (
            {"net": {"w": jnp.zeros((8, 2, 3, 3), jnp.float32), "n": 1.0}},
            f"leaf ['net']['n'] is of kind int in the file and float in this run: {ANOTHER}",
        ),
        (
            {"net": {"w": jnp.zeros((8, 2, 3, 3), jnp.float32)}},
            f"leaf ['net']['n'] of the file is not in this run: {ANOTHER}",
        ),
        (
            {"net": {"w": jnp.zeros((8, 2, 3, 3), jnp.float32), "n": 1, "b": 2}},
            f"leaf ['net']['b'] is missing in the file: {ANOTHER}",
        ),
    ],
)
def test_another_structure_is_refused(tmp_path: Path, like: Any, message: str) -> None:
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, {"net": {"w": jnp.zeros((8, 2, 3, 3), jnp.float32), "n": 1}}, {})
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, like)
    assert str(caught.value) == f"{path}: {message}"


def test_an_x64_checkpoint_is_refused_without_x64(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.ckpt", {"x": jnp.zeros(2, jnp.float64)}, {})
    like = {"x": jax.ShapeDtypeStruct((2,), jnp.float64)}
    with jax.enable_x64(False), pytest.raises(CheckpointError, match=r"jax_enable_x64 is off$"):
        load_checkpoint(tmp_path / "a.ckpt", like)


@pytest.mark.parametrize(
    ("tree", "metadata", "message"),
    [
        ({"x": np.array([None])}, {}, "leaf ['x'] has dtype object: only numbers can be stored"),
        ({}, {"key": jnp.ones(2)}, "the metadata is not JSON: "),
    ],
)
def test_what_cannot_be_stored_is_refused(
    tmp_path: Path, tree: Any, metadata: dict, message: str
) -> None:
    with pytest.raises(CheckpointError) as caught:
        save_checkpoint(tmp_path / "a.ckpt", tree, metadata)
    assert str(caught.value).startswith(f"{tmp_path / 'a.ckpt'}: {message}")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, Any]:
    """A checkpoint of 400 bytes or so, and its pytree."""
    tree = {"x": jnp.arange(4.0), "n": 3}
    save_checkpoint(tmp_path / "a.ckpt", tree, {"step": 1})
    return tmp_path / "a.ckpt", tree


def test_every_flipped_bit_is_detected(small: tuple[Path, Any]) -> None:
    path, tree = small
    data = path.read_bytes()
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError) as caught:
            load_checkpoint(path, tree)
        assert "\n" not in str(caught.value)
    assert str(caught.value) == f"{path}: damaged: its checksum differs"


def test_every_truncation_is_detected(small: tuple[Path, Any]) -> None:
    path, tree = small
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(CheckpointError, match="truncated" if length else "not a gaugemc"):
            load_checkpoint(path, tree)
    path.write_bytes(data + b"\0")
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(path, tree)


def test_another_file_is_not_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    path.write_bytes(os.urandom(4096))
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, {})
    assert str(caught.value) == f"{path}: not a gaugemc checkpoint"
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "b.ckpt", {})


SAVE_FOREVER = """
import sys
import numpy as np
from gaugemc.io import save_checkpoint, checkpoint_path, prune
directory, step = sys.argv[1], int(sys.argv[2])
while True:
    step += 1
    tree = {"x": np.full(100_000, step, np.int64), "step": step}
    save_checkpoint(checkpoint_path(directory, "train", step), tree, {"step": step})
    save_checkpoint(directory + "/last.ckpt", tree, {"step": step})
    prune(directory, "train", 3)
    print(step, flush=True)
"""


def test_killed_at_any_moment_the_newest_checkpoint_loads(tmp_path: Path) -> None:
    """Random moments from a fixed seed; what happens at them depends on the machine's speed."""
    chance, reached = random.Random(1), 0
    like = {"x": np.zeros(100_000, np.int64), "step": 0}
    for _ in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", SAVE_FOREVER, str(tmp_path), str(reached)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        with writer.stdout:
            reached = int(writer.stdout.readline())  # at least one is on the disk
            time.sleep(chance.uniform(0, 0.05))
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            reached = max([reached, *map(int, writer.stdout.read().split())])
        notes: list[str] = []
        newest = latest_checkpoint(tmp_path, "train", notes.append)
        assert newest is not None
        assert notes == []
        for path in (newest, tmp_path / "last.ckpt"):
            tree, metadata = load_checkpoint(path, like)
            assert metadata["step"] == tree["step"] >= reached
            assert (tree["x"] == tree["step"]).all()
    prune(tmp_path, "train", 3)
    assert len(list(tmp_path.glob("train-*.ckpt"))) == 3
    assert list(tmp_path.glob(".*-train-*")) == []


FULL_DISK = """
import resource, sys
import numpy as np
from gaugemc.io import save_checkpoint
for room in (0, 100, 400_000, 800_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, -1))
    try:
        save_checkpoint(sys.argv[1], {"x": np.ones(100_000)}, {})
    except OSError as error:
        print(error)
"""


def test_where_the_file_does_not_fit_the_old_one_stays(small: tuple[Path, Any]) -> None:
    path, tree = small
    command = [sys.executable, "-c", FULL_DISK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"[Errno 27] cannot write: File too large: '{path}'"] * 4
    assert_same(load_checkpoint(path, tree)[0], tree)
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_is_named_in_one_line(small: tuple[Path, Any], full_disk: None) -> None:
    path, tree = small
    with pytest.raises(OSError, match="No space left on device") as caught:
        save_checkpoint(path, {"other": 1}, {})
    assert caught.value.errno == errno.ENOSPC
    assert str(caught.value) == f"[Errno 28] cannot write: No space left on device: '{path}'"
    assert_same(load_checkpoint(path, tree)[0], tree)
    assert list(path.parent.iterdir()) == [path]


def test_an_atomic_write_reaches_the_disk_before_it_takes_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "a.txt", []
    path.write_text("old")
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        seen.append((os.readlink(f"/proc/self/fd/{descriptor}"), path.read_text()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    with write_atomically(path) as temporary:
        temporary.write_text("new")
    assert seen == [(str(temporary), "old"), (str(tmp_path), "new")]
    assert temporary.parent == tmp_path
    assert temporary.suffix == ".txt"


def test_a_failed_atomic_write_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def interrupted() -> None:
        with write_atomically(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(FileNotFoundError, match=r"absent\.txt"), write_atomically(path):
        (tmp_path / "absent.txt").read_text()
    with (
        pytest.raises(FileNotFoundError, match="nowhere/a"),
        write_atomically(tmp_path / "nowhere" / "a") as temporary,
    ):
        temporary.touch()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_atomically_written_file_has_ordinary_permissions(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    save_checkpoint(tmp_path / "b", {}, {})
    assert (tmp_path / "b").stat().st_mode == (tmp_path / "a").stat().st_mode


def test_latest_skips_what_is_damaged_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert latest_checkpoint(tmp_path, "train") is None
    for step in (5, 99_999_999, 100_000_000):  # by number, not by name
        save_checkpoint(checkpoint_path(tmp_path, "train", step), {}, {"step": step})
    save_checkpoint(checkpoint_path(tmp_path, "other-train", 200_000_000), {}, {})
    (tmp_path / "train-300000000.ckpt.bak").touch()
    newest = checkpoint_path(tmp_path, "train", 100_000_000)
    assert latest_checkpoint(tmp_path, "train") == newest
    newest.write_bytes(newest.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING):
        latest = latest_checkpoint(tmp_path, "train")
    assert latest == tmp_path / "train-99999999.ckpt"
    assert "skipped" in caplog.text
    assert str(newest) in caplog.text


def test_what_is_no_file_is_skipped(tmp_path: Path) -> None:
    """A directory, a link to itself, and a FIFO, whose reading would not end."""
    good = checkpoint_path(tmp_path, "train", 1)
    save_checkpoint(good, {}, {})
    places = [checkpoint_path(tmp_path, "train", step) for step in (2, 3, 4)]
    places[0].mkdir()
    places[1].symlink_to(places[1].name)
    os.mkfifo(places[2])
    said: list[str] = []
    assert latest_checkpoint(tmp_path, "train", said.append) == good
    assert said == [f"skipped {path}: not a regular file" for path in reversed(places)]
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "absent", {})


def test_prune_keeps_the_newest_valid_ones(tmp_path: Path) -> None:
    paths = [checkpoint_path(tmp_path, "train", step) for step in range(6)]
    for path in paths:
        save_checkpoint(path, {}, {})
    paths[5].write_bytes(b"damaged")
    paths[0].unlink()
    paths[0].mkdir()
    other = checkpoint_path(tmp_path, "evaluate", 0)
    save_checkpoint(other, {}, {})
    prune(tmp_path, "train", 2)
    assert set(tmp_path.iterdir()) == {paths[0], *paths[3:], other}
    with pytest.raises(ValueError, match="keep 0"):
        prune(tmp_path, "train", 0)


SEVERAL_DEVICES = """
import sys
import jax, jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec
from gaugemc.io import load_checkpoint, save_checkpoint
mesh = jax.make_mesh((2,), ("chain",))
x = jax.device_put(jnp.arange(8), NamedSharding(mesh, PartitionSpec("chain")))
save_checkpoint(sys.argv[1], x, {})
loaded, _ = load_checkpoint(sys.argv[1], jnp.zeros_like(x, device=x.sharding))
assert loaded.sharding == x.sharding, loaded.sharding
assert (loaded == x).all()
"""


def test_chains_on_several_devices_return_to_them(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", SEVERAL_DEVICES, str(tmp_path / "a.ckpt")],
        env={**os.environ, "JAX_NUM_CPU_DEVICES": "2"},
        check=True,
    )
