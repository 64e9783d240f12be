"""Two processes with DistributedDataParallel train as one does."""

import os
import subprocess
import sys
from pathlib import Path

import gaugemc

SOURCE = Path(str(gaugemc.__file__)).parents[1]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]


def test_a_hundred_steps_of_two_processes_are_those_of_one() -> None:
    """Losses, parameters, moments and chains, in float64."""
    done = subprocess.run(
        [*TORCHRUN, str(Path(__file__).with_name("together.py"))],
        env=os.environ | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[:2] for row in rows] == [["ReverseKL", "2"], ["ExpectedJump", "2"]]
    assert all(float(difference) < 1e-6 for _, _, difference in rows), rows


def test_a_mistake_is_said_once(tmp_path: Path) -> None:
    """By process 0, in one line, and nothing is written."""
    words = ["framework=pytorch", "backend=ddp", "training.batch=7", "training.doublings=0"]
    done = subprocess.run(
        [*TORCHRUN, "-m", "gaugemc", *words],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if line.startswith("gaugemc:")]
    assert said == ["gaugemc: training.batch=7: cannot be shared equally by 2 processes"]
    assert not any(tmp_path.iterdir())
