"""Two processes of TensorFlow train as one does."""

import csv
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from cluster import free_port, taken_port
from launched import ENVIRONMENT, differences, lacks, launched, workers

from gaugemc.choices.tf_config import config
from gaugemc.interop.tensorflow.multiworker import met
from gaugemc.io.ensemble import read_draws

BACKENDS = [
    pytest.param("horovodrun", "horovod", marks=lacks("horovod")),
    ("TF_CONFIG", "multiworker"),
]


@pytest.mark.parametrize(("launcher", "backend"), BACKENDS)
def test_a_hundred_steps_of_two_processes_are_those_of_one(launcher: str, backend: str) -> None:
    """Losses, parameters, moments and chains."""
    cases = ["0:float64:flow", "0:float64:leapfrog"]
    found = differences(launcher, "tensorflow", backend, *cases)
    assert all(difference < 1e-6 for difference in found.values()), found


def test_who_waits_for_a_worker_that_has_ended_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow itself would wait for ever."""
    workers = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    for number, said in ((0, "process 1 has not come"), (1, "Connection refused")):
        monkeypatch.setenv("TF_CONFIG", config(workers, number))
        with pytest.raises(ConnectionError, match=f"do not meet at {workers[0]}: .*{said}"):
            met(0)
    with taken_port() as port:
        monkeypatch.setenv("TF_CONFIG", config([f"127.0.0.1:{port}", workers[1]], 0))
        with pytest.raises(ConnectionError, match=f"^TF_CONFIG: .*port {port} cannot be used"):
            met(0)


@lacks("horovod")
def test_the_command_of_l2hmc_qcd_runs(tmp_path: Path) -> None:
    """In one process without a launcher, from training to the report."""
    words = ["mode=debug", "framework=tensorflow", "backend=horovod", "progress=false"]
    done = launched(None, "-m", "gaugemc", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.splitlines()[-1]).name == "report.html"


@pytest.mark.parametrize("dies", [0, 1])
def test_who_remains_of_two_workers_says_so(tmp_path: Path, dies: int) -> None:
    """Within a minute, in one line; what was trained is there to resume."""
    words = ["mode=debug", "framework=tensorflow", "backend=multiworker", "progress=false"]
    words += ["training.steps=100000", "training.chunk=2", "hydra.run.dir=run"]
    both = workers("-m", "gaugemc", *words, cwd=tmp_path)
    try:
        while not list(tmp_path.glob("run/checkpoints/train-*.ckpt")) and both[0].poll() is None:
            time.sleep(0.2)
        both[dies].kill()
        remains = both[1 - dies]
        err = remains.communicate(timeout=60)[1]
    finally:
        for process in both:
            process.kill()
            process.communicate()
    assert remains.returncode == 1, err
    (line,) = [line for line in err.splitlines() if line.startswith("gaugemc: ")]
    assert "training cannot go on with 2 processes (TF_CONFIG): a process has ended" in line
    assert ("gaugemc resume" in line) == (dies == 1)


def numbers(run: Path) -> list[np.ndarray]:
    """The losses of a run, and the draws of its tuned HMC.

    Draws of the trained sampler are left out: trajectories amplify the rounding of the model.
    """
    with (run / "metrics.csv").open() as rows:
        losses = np.array([float(row["loss"]) for row in csv.DictReader(rows)])
    return [losses, *read_draws(run / "chains/hmc.h5")[0].observables.values()]


def test_a_job_of_two_workers_is_the_run_of_one(tmp_path: Path) -> None:
    """From the script to the report, killed while it trains, and started again."""
    words = ["mode=debug", "precision=fp64", "training.chunk=10", "progress=false"]
    job = ["--system=local", "--processes=2", "framework=tensorflow", "backend=multiworker"]
    written = launched(
        None, "-m", "gaugemc", "submit", *job, *words, "hydra.run.dir=two", cwd=tmp_path
    )
    assert written.returncode == 0, written.stderr
    script = ["bash", written.stdout.strip()]
    first = subprocess.Popen(script, env=ENVIRONMENT, cwd=tmp_path, start_new_session=True)
    while not list(tmp_path.glob("two/checkpoints/train-*.ckpt")) and first.poll() is None:
        time.sleep(0.1)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert not (tmp_path / "two/report.html").exists()
    again = subprocess.run(script, env=ENVIRONMENT, capture_output=True, text=True, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "training goes on from step" in (tmp_path / "two/log.txt").read_text()
    assert again.stdout.splitlines() == [str(tmp_path / "two/report.html")]

    alone = launched(None, "-m", "gaugemc", *words, "hydra.run.dir=one", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    one, two = numbers(tmp_path / "one"), numbers(tmp_path / "two")
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-7, atol=1e-7)
    assert np.ptp(one[0]) > 1e-3
