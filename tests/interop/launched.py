"""Programs of several processes, started by the launcher of a backend."""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest
from cluster import free_port

import gaugemc

SOURCE = Path(str(gaugemc.__file__)).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
LAUNCHERS = {
    "torchrun": ["torch.distributed.run", "--standalone", "--nproc_per_node=2"],
    "horovodrun": ["horovod.runner.launch", "-np", "2", "--gloo", sys.executable],
}
"""Two processes; modules, as the programs need not be on the path."""


def lacks(package: str) -> pytest.MarkDecorator:
    """Skips where a package is not installed, and says so."""
    return pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is not installed")


def workers(*words: str, cwd: Path | None = None) -> list[subprocess.Popen[str]]:
    """Two processes of Python with these words, which TF_CONFIG tells of each other."""
    cluster = {"worker": [f"127.0.0.1:{free_port()}" for _ in range(2)]}
    return [
        subprocess.Popen(
            [sys.executable, *words],
            env=ENVIRONMENT
            | {
                "TF_CONFIG": json.dumps(
                    {"cluster": cluster, "task": {"type": "worker", "index": n}}
                )
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
        )
        for n in range(2)
    ]


def launched(
    launcher: str | None, *words: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python with these words, in two processes of a launcher or in one without."""
    if launcher == "TF_CONFIG":
        first, second = workers(*words, cwd=cwd)
        with ThreadPoolExecutor() as pool:
            other, (out, err) = pool.submit(second.communicate), first.communicate()
        return subprocess.CompletedProcess(
            words, first.returncode or second.returncode, out, err + other.result()[1]
        )
    start = ["-m", *LAUNCHERS[launcher]] if launcher else []
    return subprocess.run(
        [sys.executable, *start, *words],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        cwd=cwd,
    )


def differences(launcher: str, framework: str, backend: str, *cases: str) -> dict[str, float]:
    """How much a hundred steps of two processes differ from those of one, by case."""
    script = Path(__file__).with_name("together.py")
    done = launched(launcher, str(script), framework, backend, *cases)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"(\d:\w+:\w+) (\d+) (\S+)", done.stdout)
    assert [row[:2] for row in rows] == [(case, "2") for case in cases], done.stdout
    return {case: float(difference) for case, _, difference in rows}
