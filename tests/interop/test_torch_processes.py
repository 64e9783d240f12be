"""Two processes of PyTorch train as one does, with each backend."""

from pathlib import Path

import pytest
from cluster import free_port
from launched import differences, lacks, launched

from gaugemc.interop.torch.ddp import joined

BACKENDS = [
    ("torchrun", "ddp", ["0:float64:flow", "0:float64:leapfrog"]),
    pytest.param(
        *("torchrun", "deepspeed", ["0:float64:flow", "1:float32:flow", "2:float32:flow"]),
        marks=lacks("deepspeed"),
    ),
    pytest.param(
        *("horovodrun", "horovod", ["0:float64:flow", "0:float64:leapfrog"]),
        marks=lacks("horovod"),
    ),
]
BARS = {"float64": 1e-6, "float32": 1e-3}


@pytest.mark.parametrize(("launcher", "backend", "cases"), BACKENDS)
def test_a_hundred_steps_of_two_processes_are_those_of_one(
    launcher: str, backend: str, cases: list[str]
) -> None:
    """Losses, parameters, moments and chains."""
    found = differences(launcher, "pytorch", backend, *cases)
    assert all(found[case] < BARS[case.split(":")[1]] for case in cases), found


@pytest.mark.parametrize("number", [0, 1])
def test_who_waits_for_a_process_that_has_ended_says_so(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    port = str(free_port())
    there = {"RANK": str(number), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    for name, value in {**there, "MASTER_PORT": port}.items():
        monkeypatch.setenv(name, value)
    said = rf"^training cannot start with 2 processes \(127.0.0.1:{port}\): .*[Tt]imed out after"
    with pytest.raises(ConnectionError, match=said), joined(1):
        pass


def test_a_mistake_is_said_once(tmp_path: Path) -> None:
    """By process 0, in one line, and nothing is written."""
    words = ["framework=pytorch", "backend=ddp", "training.batch=7", "training.doublings=0"]
    done = launched("torchrun", "-m", "gaugemc", *words, cwd=tmp_path)
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if line.startswith("gaugemc:")]
    problem = "2 processes cannot share it equally: choose a multiple of 2"
    assert said == [f"gaugemc: training.batch=7: {problem}"]
    assert not any(tmp_path.iterdir())


@lacks("deepspeed")
def test_the_command_of_l2hmc_qcd_runs(tmp_path: Path) -> None:
    """In one process without a launcher, from training to the report."""
    words = ["mode=debug", "framework=pytorch", "backend=deepspeed", "precision=fp16"]
    done = launched(None, "-m", "gaugemc", *words, "progress=false", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (report,) = done.stdout.splitlines()[-1:]
    assert Path(report).name == "report.html"
    assert "framework: pytorch" in (Path(report).parent / "config.yaml").read_text()
