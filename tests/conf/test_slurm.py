"""Batch jobs on a real SLURM: requeued by the signal before the limit, resumed; an array."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import cluster, missing, said, wait
from test_cli import TINY, assert_same_results

pytestmark = pytest.mark.slurm
LONG = [*TINY, "training.steps=200"]
"""Longer than it takes to requeue a job."""
PATIENCE = 900.0
"""Seconds, on a machine that has other work too."""
Environment = dict[str, str]


@pytest.fixture(scope="module")
def slurm(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Environment]:
    """A cluster, and a cache of compiled programs for its jobs; `make test-slurm` insists on it."""
    if missing():
        asked = request.config.getoption("markexpr") == "slurm"
        (pytest.fail if asked else pytest.skip)(missing())
    cache = tmp_path_factory.mktemp("cache")
    with cluster(tmp_path_factory.mktemp("slurm")) as environment:
        yield {**environment, "XDG_CACHE_HOME": str(cache)}


def gaugemc(environment: Environment, path: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "gaugemc", *arguments],
        cwd=path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def submitted(environment: Environment, path: Path, *arguments: str) -> str:
    """The number of a job that is submitted by the command."""
    out = gaugemc(environment, path, "submit", "--system=slurm", "--run", *arguments)
    (number,) = re.findall(r"Submitted batch job (\d+)", out)
    return number


def states(environment: Environment, job: str) -> list[str]:
    return re.findall(r"JobState=(\w+)", said(environment, "scontrol", "show", "job", job))


def restarts(environment: Environment, job: str) -> int:
    (number,) = re.findall(r"Restarts=(\d+)", said(environment, "scontrol", "show", "job", job))
    return int(number)


def test_two_processes_that_are_requeued_go_on(slurm: Environment, tmp_path: Path) -> None:
    """With the bits of two that are never interrupted."""
    two = ["--processes=2", *LONG]
    job = submitted(slurm, tmp_path, *two, "hydra.run.dir=requeued")
    wait(lambda: list((tmp_path / "requeued/checkpoints").glob("train-*.ckpt")), PATIENCE)
    said(slurm, "scancel", "--signal=USR1", "--batch", job)  # as before the limit
    wait(lambda: restarts(slurm, job) == 1, PATIENCE)
    assert not (tmp_path / "requeued/summary.json").exists()
    other = submitted(slurm, tmp_path, *two, "hydra.run.dir=uninterrupted")
    for one in (job, other):
        wait(lambda one=one: states(slurm, one) == ["COMPLETED"], PATIENCE)
    assert restarts(slurm, other) == 0
    log = (tmp_path / "requeued/log.txt").read_text()
    assert "training goes on from step" in log
    assert "2 devices of 2 processes" in log
    assert_same_results(tmp_path / "requeued", tmp_path / "uninterrupted")
    software = json.loads((tmp_path / "requeued/summary.json").read_text())["software"]
    assert software["resumed_with"] == []


def test_the_signal_comes_before_the_limit(slurm: Environment, tmp_path: Path) -> None:
    """SLURM looks at limits twice a minute."""
    gaugemc(slurm, tmp_path, "submit", "--system=slurm", *TINY, "hydra.run.dir=run")
    script = tmp_path / "run/job.sh"
    text = re.sub(r"^srun .* &$", "sleep 600 &", script.read_text(), flags=re.MULTILINE)
    script.write_text(text)
    job = said(slurm, "sbatch", "--parsable", "--time=2", str(script))
    wait(lambda: restarts(slurm, job) == 1, 90)
    said(slurm, "scancel", job)


def test_one_job_of_an_array_is_requeued_alone(slurm: Environment, tmp_path: Path) -> None:
    """The last one, whose number is that of the array."""
    scan = [*TINY, "--multirun", "seed=1,2", "hydra.sweep.dir=scan"]
    gaugemc(slurm, tmp_path, "submit", "--system=slurm", *scan)
    script = tmp_path / "scan/job.sh"
    text = re.sub(r"^srun .* &$", 'sleep 600 & touch "$run/on"', script.read_text(), flags=re.M)
    script.write_text(text)
    job = said(slurm, "sbatch", "--parsable", str(script))
    wait(lambda: len(list(tmp_path.glob("scan/*/on"))) == 2, PATIENCE)
    said(slurm, "scancel", "--signal=USR1", "--batch", f"{job}_1")
    wait(lambda: restarts(slurm, f"{job}_1") == 1, PATIENCE)
    assert restarts(slurm, f"{job}_0") == 0
    said(slurm, "scancel", job)


def test_a_multirun_is_an_array(slurm: Environment, tmp_path: Path) -> None:
    scan = ["sampler=hmc", "seed=1,2", "hydra.sweep.dir=scan"]
    job = submitted(slurm, tmp_path, *TINY, *scan, "--multirun")
    wait(lambda: states(slurm, job) == ["COMPLETED"] * 2, PATIENCE)
    for number, seed in enumerate((1, 2)):
        summary = json.loads((tmp_path / f"scan/{number}/summary.json").read_text())
        assert summary["sampler"]["parameters"]["seed"] == seed
    page = tmp_path / gaugemc(slurm, tmp_path, "report", "scan").strip()
    assert "seed" in page.read_text()


def test_a_job_that_fails_is_not_requeued(slurm: Environment, tmp_path: Path) -> None:
    gaugemc(slurm, tmp_path, "submit", "--system=slurm", *TINY, "hydra.run.dir=broken")
    config = tmp_path / "broken/config.yaml"
    config.write_text(config.read_text().replace("seed: 1", "seed: 2"))
    job = said(slurm, "sbatch", "--parsable", str(tmp_path / "broken/job.sh"))
    wait(lambda: states(slurm, job) == ["FAILED"], PATIENCE)
    assert restarts(slurm, job) == 0
    assert "holds a run with seed=1" in (tmp_path / f"broken/job-{job}.txt").read_text()


def test_a_sweep_of_submitit_goes_on_after_its_signal(slurm: Environment, tmp_path: Path) -> None:
    """Hydra's launcher queues a job again by itself, when SLURM signals the end of its time."""
    limits = ["hydra.launcher.timeout_min=60", "hydra.launcher.max_num_timeout=2"]
    sweep = ["hydra/launcher=submitit_slurm", "seed=1,2", "hydra.sweep.dir=scan", "--multirun"]
    begun = tmp_path / "scan/0/checkpoints"
    with subprocess.Popen(
        [sys.executable, "-m", "gaugemc", *LONG, *limits, *sweep],
        cwd=tmp_path,
        env=slurm,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as command:
        try:
            wait(lambda: command.poll() or list(begun.glob("train-*.ckpt")), PATIENCE)
            assert command.poll() is None, command.communicate()[0]
            (job,) = {path.name.split("_")[0] for path in tmp_path.glob("scan/.submitit/*_0")}
            said(slurm, "scancel", "--signal=USR2", f"{job}_0")
            out = command.communicate(timeout=PATIENCE)[0]
        finally:
            command.kill()
    assert command.returncode == 0, out
    assert [restarts(slurm, f"{job}_{number}") for number in (0, 1)] == [1, 0]
    assert "training goes on from step" in (tmp_path / "scan/0/log.txt").read_text()
    for number in (0, 1):
        assert (tmp_path / f"scan/{number}/summary.json").exists()
    assert "seed" in (tmp_path / "scan/report.html").read_text()
