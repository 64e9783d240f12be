"""Two processes of TensorFlow train as one does."""

import time
from pathlib import Path

import pytest
from launched import differences, lacks, launched, workers

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
