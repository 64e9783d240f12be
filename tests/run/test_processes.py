"""Two processes that share the chains of a run make the run of one, bit for bit.

Where they share lattices and batches, to rounding.
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from sharing_processes import LATTICE, settings, shared

import gaugemc
from gaugemc.choices.devices import Place
from gaugemc.choices.option import SettingsError
from gaugemc.choices.validation import validate
from gaugemc.io.ensemble import read_configurations, read_draws
from gaugemc.run.experiment import run
from gaugemc.run.processes import devices_of, join

SOURCE = Path(str(gaugemc.__file__)).parents[1]
SCRIPT = Path(__file__).with_name("sharing_processes.py")


def test_two_processes_and_one(tmp_path: Path) -> None:
    """Each goes on with what the other has begun. Then one is killed, and the other says so."""
    run(settings(8), tmp_path / "one")
    run(settings(12, 2, *LATTICE), tmp_path / "whole")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    paths = os.pathsep.join((str(SOURCE), str(Path(__file__).parents[1])))
    first, second = (
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(process), port, str(tmp_path)],
            env=os.environ | {"PYTHONPATH": paths},
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in (0, 1)
    )
    endless = tmp_path / "endless" / "checkpoints"
    while not list(endless.glob("evaluate-*.ckpt")) and first.poll() is None:
        time.sleep(0.2)
    second.kill()
    try:
        said = first.communicate(timeout=60)[1]
    finally:
        first.kill()
    second.communicate()
    lines = [line for line in said.splitlines() if line.startswith("gaugemc: ")]
    assert first.returncode == 1, said
    assert len(lines) == 1, said
    assert "process 0 of 2: another process has ended" in lines[0]

    run(settings(12), tmp_path / "two", extend=True)
    ensembles = [tmp_path / name / "chains" / "evaluate.h5" for name in ("one", "two")]
    one, two = (jax.tree.leaves(read_draws(path)[0]) for path in ensembles)
    assert len(one) > 4
    assert one[0].shape[:2] == (4, 12)
    assert all(np.array_equal(a, b) for a, b in zip(one, two))
    end_of_one, end_of_two = map(read_configurations, ensembles)
    assert end_of_one is not None
    assert end_of_two is not None
    assert np.array_equal(end_of_one, end_of_two)
    assert "2 devices of 2 processes" in (tmp_path / "two" / "log.txt").read_text()

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


def test_a_port_in_use_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"devices.coordinator=.*port {port} cannot be"):
            join(Place(0, 2, f"127.0.0.1:{port}"))


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
