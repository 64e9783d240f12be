"""Two processes that share the chains of a run make the run of one, bit for bit.

Where they share lattices and batches, to rounding.
"""

import os
import re
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cluster import free_port, taken_port
from jax.experimental import multihost_utils
from sharing_processes import ENDLESS, LATTICE, settings, shared

import gaugemc
from gaugemc.choices.devices import Place
from gaugemc.choices.option import SettingsError
from gaugemc.choices.validation import validate
from gaugemc.io.ensemble import read_configurations, read_draws
from gaugemc.run.experiment import run
from gaugemc.run.extension import most_draws
from gaugemc.run.processes import agreed, devices_of, heard, join

SOURCE = Path(str(gaugemc.__file__)).parents[1]
SCRIPT = Path(__file__).with_name("sharing_processes.py")


def started(*arguments: str) -> subprocess.Popen[str]:
    """A program of this folder, in a process of its own."""
    paths = os.pathsep.join((str(SOURCE), str(Path(__file__).parents[1])))
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": paths},
        stderr=subprocess.PIPE,
        text=True,
    )


def said_by(process: subprocess.Popen[str]) -> list[str]:
    """The lines that a process ends with, which has to end by itself within a minute."""
    try:
        err = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 1, err
    return [line for line in err.splitlines() if line.startswith("gaugemc: ")]


def draws_of(run: Path) -> list[np.ndarray]:
    """All that a run has of its draws, [chain, draw, ...]."""
    return jax.tree.leaves(read_draws(run / "chains" / "evaluate.h5")[0])


def test_two_processes_and_one(tmp_path: Path) -> None:
    """Each goes on with what the other has begun. One is killed: the other says so, and a single
    process goes on with their run."""
    run(settings(8), tmp_path / "one")
    run(settings(12, 2, *LATTICE), tmp_path / "whole")
    port = str(free_port())
    first, second = (started(str(SCRIPT), n, port, str(tmp_path)) for n in "01")
    endless = tmp_path / "endless" / "checkpoints"
    while not list(endless.glob("evaluate-*.ckpt")) and first.poll() is None:
        time.sleep(0.2)
    second.kill()
    (line,) = said_by(first)
    assert "process 0 of 2: another process has ended" in line
    second.communicate()

    draws = most_draws(endless, of_baseline=False) + 12
    one, two, endless = (tmp_path / name for name in ("one", "two", "endless"))
    run(settings(draws), two, extend=True)
    run(settings(draws, ENDLESS), endless, extend=True)
    assert len(draws_of(two)) > 4
    assert draws_of(one)[0].shape[:2] == (4, 12)
    for of_one, of_two, resumed in zip(*map(draws_of, (one, two, endless))):
        assert np.array_equal(of_one, of_two[:, :12])
        assert np.array_equal(resumed, of_two)
    end, other = (read_configurations(path / "chains/evaluate.h5") for path in (two, endless))
    assert end is not None
    assert other is not None
    assert np.array_equal(end, other)
    assert "2 devices of 2 processes" in (two / "log.txt").read_text()

    assert "lattices in 2 parts" in (tmp_path / "cut" / "log.txt").read_text()
    run(settings(12, 2, *LATTICE), tmp_path / "cut", extend=True)
    whole, cut = (
        read_draws(tmp_path / name / "chains" / "evaluate.h5")[0] for name in ("whole", "cut")
    )
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(cut), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)

    alone, together = shared(jax.devices()[:1]), np.load(tmp_path / "shared.npz")
    assert set(together) == set(alone)
    assert np.ptp(alone["float64"]) > 0.1
    for name, numbers in alone.items():
        bar = {"float64": 1e-9, "float32": 1e-4}.get(name, 1e-11)
        np.testing.assert_allclose(together[name], numbers, rtol=1e-12, atol=bar, err_msg=name)


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        ("UNKNOWN: Gloo all-reduce failed: [pair.cc:538] Read error: Connection reset", True),
        ("UNAVAILABLE: Failed to send RPC to coordination service.", True),
        ("DEADLINE_EXCEEDED: Barrier timed out.", True),
        ("INTERNAL: NCCL operation failed: remote process exited or there was an error.", True),
        ("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes.", False),
        ("INTERNAL: CustomCall failed: no such kernel", False),
        ("INVALID_ARGUMENT: shapes differ", False),
        ("operands could not be broadcast together", False),
    ],
)
def test_only_errors_of_communication_are_another_processes(
    monkeypatch: pytest.MonkeyPatch, error: str, lost: bool
) -> None:
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    for kind in (ValueError, jax.errors.JaxRuntimeError):
        with pytest.raises(ConnectionError if lost else kind, match=re.escape(error)), heard():
            raise kind(error)


def test_in_a_single_process_no_other_one_has_ended() -> None:
    with pytest.raises(ValueError, match="UNAVAILABLE"), heard():
        raise ValueError("UNAVAILABLE: not there")


def test_what_is_no_array_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number of a model, made an array, would be a trained one."""
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    sent = partial(jax.tree.map, np.asarray)
    monkeypatch.setattr(multihost_utils, "broadcast_one_to_all", sent)
    array, number, name = agreed((jnp.ones(2), 0.5, "name"))
    assert isinstance(array, jax.Array)
    assert (type(number), number, name) == (float, 0.5, "name")


def test_a_port_in_use_is_refused() -> None:
    with (
        taken_port() as port,
        pytest.raises(SettingsError, match=rf"devices.coordinator=.*port {port} cannot be"),
    ):
        join(Place(0, 2, f"127.0.0.1:{port}"), {})


def test_more_devices_than_there_are_are_refused() -> None:
    asked = settings(8)
    asked.devices.count = jax.local_device_count() + 1
    with pytest.raises(SettingsError, match=r"devices.count=\d+: this process has"):
        devices_of(asked)


def test_a_lattice_that_cannot_be_cut_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"devices.parts=2: .* 1, is no multiple"):
        devices_of(settings(8, 2, *LATTICE, "devices.parts=2"))
    with pytest.raises(SettingsError, match=r"devices.parts=3: .*first extent is 4, cannot be cut"):
        validate(settings(8, 2, *LATTICE, "devices.parts=3"))
    with pytest.raises(SettingsError, match=r"devices.parts=2: .* cannot be cut"):
        validate(settings(8, 2, "theory=ring", "devices.parts=2"))
