"""Job scripts: what each batch system reads in them, what they do, and what is refused."""

import os
import shlex
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
DEPTH = "--cpu-bind depth"
AURORA = "1-8:9-16:17-24:25-32:33-40:41-48:53-60:61-68:69-76:77-84:85-92:93-100"
DDP = ["mode=debug", "framework=pytorch", "backend=ddp"]


def put(path: Path, text: str) -> Path:
    """A program of bash."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for Python, PBS and MPI, which note their words in the file `calls`.

    Python works longer than the job may the first time that it works in a directory. MPI starts its
    processes one after the other.
    """
    calls, nodes = tmp_path / "calls", tmp_path / "programs/nodes"
    python = put(
        tmp_path / "programs/python",
        f'echo "${{CUDA_VISIBLE_DEVICES:+GPU $CUDA_VISIBLE_DEVICES: }}python $*" >> {calls}\n'
        'words="$*"; began=${words#*resume }; began=${began%% *}/began\n'
        '[ -e "$began" ] || { touch "$began"; sleep 20; }\n',
    )
    nodes.write_text("node1\nnode2\n")
    put(
        tmp_path / "programs/qsub",
        f'echo "qsub $*" >> {calls}\n'
        f"export PBS_NODEFILE={nodes} PBS_JOBID=70.pbs-01\n"
        "case $1 in\n"
        "-J) for n in $(seq ${2/-/ }); do\n"
        '  PBS_JOBID="70[$n].pbs-01" PBS_ARRAY_INDEX=$n bash "$3"; done ;;\n'
        '-v) env "$2" bash "$3" ;; *) bash "$1" ;; esac\n',
    )
    put(
        tmp_path / "programs/mpiexec",
        f'words=; for word; do case $word in */python|bash) break ;; esac; words="$words $word"\n'
        f'shift; done; set -- $words -- "$@"; echo mpiexec $words >> {calls}\n'
        "size=$2 ppn=$4; while [ $1 != -- ]; do shift; done; shift\n"
        "for ((n = 0; n < size; n++)); do\n"
        '  PMI_RANK=$n PMI_SIZE=$size PALS_LOCAL_RANKID=$((n % ppn)) "$@" || exit; done\n',
    )
    monkeypatch.setenv("PATH", f"{python.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
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
    asked = [f"--system={system}", *account, *HMC, "chains=24", "hydra.run.dir=run"]
    code, out, err = command("submit", *asked)
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
    asked = ["--time=1-02:03:04", "--partition=long", "--cpus=8", "--gpus=2", "--account=a"]
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
        "#SBATCH --ntasks-per-node=2",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --gpus-per-node=2",
        "#SBATCH --time=26:03:04",
        f"#SBATCH --output={directory}/job-%j.txt",
        "#SBATCH --open-mode=append",
        "#SBATCH --array=0-1",
        "#SBATCH --requeue",
        "#SBATCH --signal=B:USR1@120",
        "#SBATCH --partition=long",
    ]
    text = Path(out.strip()).read_text()
    assert "requeue ${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID;" in text
    assert f'\nsrun {sys.executable} -m gaugemc resume "$run" devices.launcher=slurm &\n' in text
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
        "submit", "--system=pbs", "--time=90m", *HMC, "--multirun", "seed=1,2",
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
    ("system", "launched", "gpus"),
    [
        ("pbs", "mpiexec -n 4 -ppn 2", ["", ""]),
        ("polaris", f"mpiexec -n 8 --ppn 4 --depth=8 {DEPTH}", [f"GPU {n}: " for n in "3210"]),
        ("aurora", f"mpiexec -n 24 --ppn 12 --cpu-bind=list:{AURORA}", [""] * 12),
    ],
)  # fmt: skip
def test_each_gpu_has_a_process(
    command: Command, programs: Path, tmp_path: Path, system: str, launched: str, gpus: list[str]
) -> None:
    """All begin in the same directory, and meet at a port of the first node."""
    account = ["--account=physics"] if SYSTEMS[system].needs else ["--gpus=2"]
    asked = [f"--system={system}", *account, "--nodes=2", *HMC, "chains=48", "devices.count=1"]
    code, *_ = command("submit", *asked, "--multirun", "seed=1,2", "hydra.sweep.dir=scan")
    assert code == 0
    for number in "01":
        (tmp_path / f"scan/{number}/began").touch()
    subprocess.run(["qsub", "-J", "0-1", tmp_path / "scan/job.sh"], check=True)
    assert called(programs, tmp_path) == [
        "qsub -J 0-1 /scan/job.sh",
        *(
            line
            for job in (0, 1)
            for line in (
                launched,
                *(
                    f"{gpu}python -m gaugemc resume /scan/{job} devices.launcher=mpi"
                    f" devices.coordinator=node1:{61510 + job} devices.count=1"
                    for gpu in gpus * 2
                ),
            )
        ),
    ]


def test_processes_here_are_started_by_hand(
    command: Command, programs: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/began").touch()
    run = ["--system=local", "--run", "--processes=2", *HMC, "hydra.run.dir=run"]
    code, *_ = command("submit", *run)
    assert code == 0
    words = [line.split(" devices.coordinator=127.0.0.1:") for line in called(programs, tmp_path)]
    assert sorted(line for line, _ in words) == [
        f"GPU {n}: python -m gaugemc resume /run devices.launcher=hand devices.processes=2"
        f" devices.process={n}"
        for n in (0, 1)
    ]
    (port,) = {int(port) for _, port in words}
    assert 61440 <= port < 61440 + 4096


@pytest.mark.parametrize(
    ("system", "launched"),
    [
        ("pbs", "mpiexec -n 2 -ppn 1"),
        ("polaris", "mpiexec -n 2 --ppn 1 --depth=32 --cpu-bind depth"),
        ("aurora", "mpiexec -n 2 --ppn 1"),
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
        launched,
        f"python {words}",
        f"python {words}",
    ]


@pytest.mark.parametrize("system", SYSTEMS)
def test_processes_of_tensorflow_are_started_as_those_that_share_chains(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    """They need not divide the chains, but the batch."""
    monkeypatch.setattr(frameworks, "find_spec", lambda _: True)
    processes = SYSTEMS[system].defaults.get("gpus", 3)
    how = "--account=physics" if SYSTEMS[system].needs else f"--processes={processes}"
    asked = [f"--system={system}", how, f"chains={processes + 1}", "hydra.run.dir=run"]
    asked += ["mode=debug", "framework=tensorflow", "backend=multiworker"]
    code, _, err = command("submit", *asked, f"training.batch={processes + 1}")
    assert (code, err.count("\n")) == (2, 1)
    assert f"{processes} processes cannot share it equally" in err
    code, *_ = command("submit", *asked, f"training.batch={processes}")
    assert code == 0
    text = (tmp_path / "run/job.sh").read_text()
    (line,) = [line for line in text.splitlines() if "resume" in line]
    assert SYSTEMS[system].joined.split()[0] in line
    assert "torch" not in line
    assert "TF_CONFIG" not in os.environ


def test_jobs_here_run_one_after_another(command: Command, programs: Path, tmp_path: Path) -> None:
    for number in "01":
        (tmp_path / f"scan/{number}").mkdir(parents=True)
        (tmp_path / f"scan/{number}/began").touch()
    sweep = ["--multirun", "seed=1,2", "hydra.sweep.dir=scan"]
    code, *_ = command("submit", "--system=local", "--run", *HMC, *sweep)
    assert code == 0
    assert called(programs, tmp_path) == [f"python -m gaugemc resume /scan/{n}" for n in "01"]


@pytest.mark.parametrize(("codes", "ended", "runs"), [("0 1 0", 1, 3), ("130 0 0", 130, 1)])
def test_jobs_here_end_with_what_went_wrong(
    command: Command, programs: Path, tmp_path: Path, codes: str, ended: int, runs: int
) -> None:
    """A run that fails does not hide behind those after it; Ctrl-C ends all."""
    number = f"$(cat {programs} 2>/dev/null | wc -l)"
    put(
        tmp_path / "programs/python",
        f'codes=({codes}); n={number}; echo run >> {programs}; exit "${{codes[$n]}}"\n',
    )
    sweep = ["--multirun", "seed=1,2,3", "hydra.sweep.dir=scan"]
    code, *_ = command("submit", "--system=local", "--run", *HMC, *sweep)
    assert (code, len(programs.read_text().splitlines())) == (ended, runs)


def test_a_run_and_a_sweep_have_no_directory_in_common(command: Command, tmp_path: Path) -> None:
    one = ["submit", "--system=local", *HMC, "hydra.run.dir=one"]
    many = ["submit", "--system=local", "--multirun", *HMC, "seed=1,2", "hydra.sweep.dir=many"]
    assert [command(*one)[0], command(*many)[0]] == [0, 0]
    script = (tmp_path / "many/job.sh").read_text()
    code, _, err = command(*one[:-1], "hydra.run.dir=many")
    assert code == 2
    assert "hydra.run.dir=many: holds a sweep: choose another directory" in err
    code, _, err = command(*many[:-1], "hydra.sweep.dir=one")
    assert code == 2
    assert "hydra.sweep.dir=one: holds a run: choose another directory" in err
    assert (tmp_path / "many/job.sh").read_text() == script


def test_a_percent_sign_is_one_to_slurm(command: Command, tmp_path: Path) -> None:
    code, _, err = command("submit", "--system=slurm", *HMC, "flow.bins=3", "hydra.run.dir=50%j")
    assert code == 0
    assert f"--output={tmp_path}/50%%j/job-%j.txt\n" in (tmp_path / "50%j/job.sh").read_text()
    assert "gaugemc: unused: flow.bins (sampler=hmc has no flow)" in err


def test_a_study_is_a_sweep(command: Command, tmp_path: Path) -> None:
    study = ["mode=su3_4d_study_quick", "member=heatbath,l2hmc", "hydra.sweep.dir=study"]
    code, *_ = command("submit", "--system=slurm", *study)
    assert code == 0
    assert "--array=0-1" in (tmp_path / "study/job.sh").read_text()
    settings = [RunDirectory(tmp_path / f"study/{n}").settings() for n in (0, 1)]
    assert [one.sampler.name for one in settings] == ["heatbath", "l2hmc"]


DOCUMENTED = [
    shlex.split(line, comments=True)[1:]
    for line in (Path(__file__).parents[2] / "docs/clusters.md").read_text().splitlines()
    if line.startswith("gaugemc submit") and "framework=" not in line
]


@pytest.mark.parametrize("words", DOCUMENTED, ids=" ".join)
def test_commands_of_the_manual_write_a_script(
    command: Command, tmp_path: Path, words: list[str]
) -> None:
    code, _, err = command(*(word for word in words if word != "--run"))
    assert code == 0, err
    assert len(list(tmp_path.rglob("job.sh"))) == 1


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
        ("--system=slurm --time=99999999d", "'99999999d' is longer than a year"),
        ("--system=local --time=3h", "--time=03:00:00: means nothing to --system=local"),
        ("--system=slurm --nodes=0", "'0' must be a whole number, 1 or larger"),
        ("--system=slurm --queue=a;b", "'a;b' must be of letters, digits"),
        ("--system=slurm --quue=a", "unrecognized arguments: --quue=a"),
        ("--system=slurm --run", "sbatch: not found: call it where jobs are submitted"),
        ("--system=local --queue=a", "--queue=a: means nothing to --system=local"),
        ("--system=polaris", "--system=polaris needs --account=NAME"),
        ("--system=slurm --nodes=3", "chains=64: 3 devices cannot share them equally: choose"),
        ("--system=slurm --nodes=3 devices.parts=2", "devices.parts=2: the number of devices, 3"),
        (
            "--system=slurm --nodes=3 chains=6 sampler=fthmc training.batch=64",
            "training.batch=64: 3 devices cannot share it equally",
        ),
        ("--system=slurm --processes=2 devices.count=3", "chains=64: 6 devices cannot share them"),
        ("--system=slurm --processes=2 --gpus=4", "with --gpus=4 each GPU has a process"),
        ("--system=slurm --processes=2 --cpus=3", "--cpus=3: 2 processes of a node cannot"),
        ("--system=slurm devices.launcher=slurm", "=slurm: the script tells each process"),
        ("--system=slurm -m devices.count=1,2", "=1,2: an array has the same for all"),
        ("--system=slurm theory.beta=-1", "theory.beta=-1.0: must be at least 0"),
        ("--system=slurm theory.bta=1", "theory.bta: no such key"),
        ("--system=slurm theory.lattice=[7,8]", "theory.lattice=[7, 8]: "),
        ("--system=slurm seed=1,2", "seed=1,2: more than one value; add --multirun"),
        ("--system=slurm -m theory.beta=1,-2", "job 1 of 2, theory.beta=-2: theory.beta=-2.0: "),
        ("--system=slurm hydra.job.name=x", "of Hydra's settings only hydra.run.dir is heard"),
        ("--system=slurm -m hydra.run.dir=x", "of Hydra's settings only hydra.sweep.dir is heard"),
        ("--system=slurm hydra.run.dir=", "hydra.run.dir=: must be a name, in one line"),
        ("--system=slurm hydra/launcher=joblib", "hydra/launcher=joblib: of Hydra's settings only"),
        (
            "--system=slurm --processes=2 framework=pytorch backend=horovod",
            "backend=horovod: needs horovodrun, which no job script has: choose ddp or deepspeed",
        ),
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
    assert "training.batch=16: 6 processes cannot share it equally" in err
    assert list(tmp_path.iterdir()) == []
    assert "WORLD_SIZE" not in os.environ
