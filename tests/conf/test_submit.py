"""Job scripts: what each batch system reads in them, what they do, and what is refused."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gaugemc.choices import frameworks
from gaugemc.choices.systems import SYSTEMS
from gaugemc.report.scan import read_scan
from gaugemc.run.run_directory import RunDirectory

Command = Callable[..., tuple[int, str, str]]
HMC = ["mode=debug", "sampler=hmc"]
DDP = ["mode=debug", "framework=pytorch", "backend=ddp"]


def put(path: Path, text: str) -> Path:
    """A program of bash."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for Python and for PBS, which note their words in the file `calls`.

    Python works longer than the job may the first time that it works in a directory.
    """
    calls = tmp_path / "calls"
    python = put(
        tmp_path / "programs/python",
        f'echo "python $*" >> {calls}\n'
        'began="${*: -1}/began"; [ -e "$began" ] || { touch "$began"; sleep 20; }\n',
    )
    put(
        tmp_path / "programs/qsub",
        f'echo "qsub $*" >> {calls}\n'
        'case $1 in -J) for n in $(seq ${2/-/ }); do PBS_ARRAY_INDEX=$n bash "$3"; done ;;\n'
        '-v) env "$2" bash "$3" ;; *) bash "$1" ;; esac\n',
    )
    put(
        tmp_path / "programs/mpiexec",
        f'echo "mpiexec $*" >> {calls}\nwhile [ "${{1##*/}}" != python ]; do shift; done; "$@"\n',
    )
    monkeypatch.setenv("PATH", f"{python.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "executable", str(python))
    return calls


def hurried(script: Path) -> None:
    """The time limit of a script in a second."""
    text = script.read_text()
    assert "timeout 5280 " in text  # 90 minutes but for two
    script.write_text(text.replace("timeout 5280 ", "timeout 1 "))


def called(calls: Path, directory: Path) -> list[str]:
    """What the stand-ins noted, without directories."""
    text = calls.read_text().replace(str(directory), "")
    return text.replace("/programs/python", "python").splitlines()


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_script_is_bash_and_its_run_is_ready(
    command: Command, system: str, tmp_path: Path
) -> None:
    account = ["--account=physics"] if SYSTEMS[system].needs else []
    code, out, err = command("submit", f"--system={system}", *account, *HMC, "hydra.run.dir=run")
    script = tmp_path / "run/job.sh"
    assert (code, out) == (0, f"{script}\n")
    assert err == f"to submit it: {SYSTEMS[system].submit} {script}\n"
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    text = script.read_text()
    assert f'{sys.executable} -m gaugemc resume "$run"' in text
    assert "{" not in text.replace("${", "")
    assert "None" not in text
    assert ("physics" in text) == bool(account)
    assert RunDirectory(tmp_path / "run").settings().sampler.name == "hmc"


def test_slurm_reads_what_was_asked_for(command: Command, tmp_path: Path) -> None:
    asked = ["--time=1-02:03:04", "--partition=long", "--cpus=8", "--gpus=1", "--account=a"]
    code, out, _ = command(
        "submit", "--system=slurm", *asked, *HMC, "name=x", "--multirun", "seed=1,2"
    )
    assert code == 0
    directory = Path(out).parent
    assert directory.name.endswith("-x")
    directives = [line for line in Path(out.strip()).read_text().splitlines() if "#SBATCH" in line]
    assert directives == [
        "#SBATCH --job-name=x",
        "#SBATCH --account=a",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks-per-node=1",
        "#SBATCH --cpus-per-task=8",
        "#SBATCH --gpus-per-node=1",
        "#SBATCH --time=26:03:04",
        f"#SBATCH --output={directory}/job-%j.txt",
        "#SBATCH --open-mode=append",
        "#SBATCH --array=0-1",
        "#SBATCH --requeue",
        "#SBATCH --signal=B:USR1@120",
        "#SBATCH --partition=long",
    ]
    assert "requeue ${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID;" in Path(out.strip()).read_text()
    assert [RunDirectory(directory / str(n)).settings().seed for n in (0, 1)] == [1, 2]
    assert [job.words for job in read_scan(directory).jobs] == ["seed=1", "seed=2"]


def test_a_job_of_pbs_that_meets_its_limit_submits_the_next(
    command: Command, programs: Path, tmp_path: Path
) -> None:
    command("submit", "--system=pbs", "--time=90m", *HMC, "hydra.run.dir=run")
    hurried(tmp_path / "run/job.sh")
    subprocess.run(["qsub", tmp_path / "run/job.sh"], check=False)
    once = ["qsub /run/job.sh", "python -m gaugemc resume /run"]
    assert called(programs, tmp_path) == [*once, *once]


def test_a_job_of_an_array_of_pbs_submits_itself_alone(
    command: Command, programs: Path, tmp_path: Path
) -> None:
    *_, err = command(
        "submit", "--system=polaris", "--account=a", "--time=90m", *HMC, "--multirun", "seed=1,2",
        "hydra.sweep.dir=scan",
    )  # fmt: skip
    assert f"qsub -J 0-1 {tmp_path}/scan/job.sh\n" in err
    hurried(tmp_path / "scan/job.sh")
    (tmp_path / "scan/0/began").touch()
    subprocess.run(["qsub", "-J", "0-1", tmp_path / "scan/job.sh"], check=False)
    assert called(programs, tmp_path) == [
        "qsub -J 0-1 /scan/job.sh",
        "python -m gaugemc resume /scan/0",
        "python -m gaugemc resume /scan/1",
        "qsub -v JOB=1 /scan/job.sh",
        "python -m gaugemc resume /scan/1",
    ]


@pytest.mark.parametrize(
    ("system", "launched"),
    [
        ("pbs", "mpiexec -n 2 -ppn 1 "),
        ("polaris", "mpiexec -n 2 --ppn 1 --depth=32 --cpu-bind depth "),
        ("aurora", "mpiexec -n 2 --ppn 1 "),
    ],
)
def test_nodes_of_pytorch_are_started_by_mpiexec(
    command: Command,
    programs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    launched: str,
) -> None:
    monkeypatch.setattr(frameworks, "find_spec", lambda _: True)
    account = ["--account=physics"] if SYSTEMS[system].needs else ["--gpus=4"]
    more = ["--nodes=2", "--run", "hydra.run.dir=run", "training.batch=48"]
    (tmp_path / "run").mkdir()
    (tmp_path / "run/began").touch()
    code, *_ = command("submit", f"--system={system}", *account, *more, *DDP)
    assert code == 0
    per_node = SYSTEMS[system].defaults.get("gpus", 4)
    host = subprocess.run(["hostname"], capture_output=True, text=True, check=True).stdout.strip()
    words = (
        f"-m torch.distributed.run --nnodes=2 --rdzv_backend=c10d --rdzv_endpoint={host}:29500"
        f" --nproc_per_node={per_node} -m gaugemc resume /run"
    )
    assert called(programs, tmp_path) == [
        "qsub /run/job.sh",
        f"{launched}python {words}",
        f"python {words}",
    ]


def test_jobs_here_run_one_after_another(command: Command, programs: Path, tmp_path: Path) -> None:
    for number in "01":
        (tmp_path / f"scan/{number}").mkdir(parents=True)
        (tmp_path / f"scan/{number}/began").touch()
    sweep = ["--multirun", "seed=1,2", "hydra.sweep.dir=scan"]
    code, *_ = command("submit", "--system=local", "--run", *HMC, *sweep)
    assert code == 0
    assert called(programs, tmp_path) == [f"python -m gaugemc resume /scan/{n}" for n in "01"]


def test_a_study_is_a_sweep(command: Command, tmp_path: Path) -> None:
    study = ["mode=su3_4d_study_quick", "member=heatbath,l2hmc", "hydra.sweep.dir=study"]
    code, *_ = command("submit", "--system=slurm", *study)
    assert code == 0
    assert "--array=0-1" in (tmp_path / "study/job.sh").read_text()
    settings = [RunDirectory(tmp_path / f"study/{n}").settings() for n in (0, 1)]
    assert [one.sampler.name for one in settings] == ["heatbath", "l2hmc"]


NO_TIME = "is no time: write 12:00:00, 1-12:00:00, 90m, 12h or 2d"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("seed=1", "the following arguments are required: --system"),
        ("--system=lsf", "--system=lsf: choose one of slurm, pbs, polaris, aurora, perlmutter"),
        ("--system=slurm --time=soon", f"'soon' {NO_TIME}"),
        ("--system=slurm --time=10", f"'10' {NO_TIME}"),
        ("--system=slurm --time=1:60:00", f"'1:60:00' {NO_TIME}"),
        ("--system=slurm --time=00:01:00", "'00:01:00' is too short: at least 5m"),
        ("--system=slurm --nodes=0", "'0' must be a whole number, 1 or larger"),
        ("--system=slurm --queue=a;b", "'a;b' must be of letters, digits"),
        ("--system=slurm --quue=a", "unrecognized arguments: --quue=a"),
        ("--system=slurm --run", "sbatch: not found: call it where jobs are submitted"),
        ("--system=local --queue=a", "--queue=a: means nothing to --system=local"),
        ("--system=polaris", "--system=polaris needs --account=NAME"),
        ("--system=slurm --nodes=2", "--nodes=2: a run with backend=none is one process"),
        ("--system=slurm --processes=2", "--processes=2: a run with backend=none is one process"),
        ("--system=slurm theory.beta=-1", "theory.beta=-1.0: must be at least 0"),
        ("--system=slurm theory.bta=1", "theory.bta: no such key"),
        ("--system=slurm theory.lattice=[7,8]", "theory.lattice=[7, 8]: "),
        ("--system=slurm seed=1,2", "seed=1,2: more than one value; add --multirun"),
        ("--system=slurm -m theory.beta=1,-2", "job 1 of 2, theory.beta=-2: theory.beta=-2.0: "),
        ("--system=slurm hydra.job.name=x", "of Hydra's settings only hydra.run.dir is heard"),
        ("--system=slurm -m hydra.run.dir=x", "of Hydra's settings only hydra.sweep.dir is heard"),
        ("--system=slurm hydra.run.dir=", "hydra.run.dir=: must not be empty"),
        ("--system=slurm hydra/launcher=joblib", "hydra/launcher=joblib: of Hydra's settings only"),
        ("--system=slurm backend=ddp", "backend=ddp: does not go with framework=jax"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_leaves_nothing(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, problem: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, out, err = command("submit", *words.split())
    assert (code, out) == (2, "")
    assert problem in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_batch_that_the_processes_cannot_share_is_refused_at_submission(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frameworks, "find_spec", lambda _: True)
    code, _, err = command("submit", "--system=slurm", "--nodes=2", "--processes=3", *DDP)
    assert code == 2
    assert "training.batch=16: cannot be shared equally by 6 processes" in err
    assert list(tmp_path.iterdir()) == []
    assert "WORLD_SIZE" not in os.environ
