"""The command: what a run leaves, one line for each mistake, interruptions, exit codes."""

import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import jax
import numpy as np
import pytest
from composed import SMALL
from synthetic_run import put_run

from gaugemc import cli
from gaugemc.checks.outcome import Check, bounded, undecided
from gaugemc.choices.settings import Settings
from gaugemc.io.checkpoint import latest_checkpoint
from gaugemc.io.ensemble import read_draws
from gaugemc.io.lock import locked
from gaugemc.kernels.cache import cache_directory
from gaugemc.run import chain_phase, experiment

TINY = [
    *SMALL,
    "training.steps=8",
    "training.chunk=2",
    "training.quality_every=4",
    "evaluate.draws=24",
    "evaluate.warmup=4",
    "evaluate.hmc_draws=40",
    "evaluate.hmc_warmup=8",
    "evaluate.tune_iterations=4",
    "evaluate.tune_draws=4",
    "evaluate.timing_rounds=1",
]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Processes share one cache of compiled programs, empty at first."""
    return {**os.environ, "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}


def start(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """The program in a process of its own, which heeds Ctrl-C even if these tests do not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [sys.executable, "-m", "gaugemc", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def finished(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, int, str]:
    """An uninterrupted run: its directory, exit code and stdout."""
    path = tmp_path_factory.mktemp("runs") / "finished"
    process = start(environment, *TINY, f"hydra.run.dir={path}")
    out, _ = process.communicate(timeout=600)
    return path, process.returncode, out


def wait_for(process: subprocess.Popen[str], directory: Path, pattern: str) -> None:
    """Until a file that matches the pattern is there."""
    deadline = time.monotonic() + 300
    while not list(directory.glob(pattern)):
        if process.poll() is not None:
            pytest.fail(f"ended before it could be interrupted: {process.communicate()[1]}")
        assert time.monotonic() < deadline
        time.sleep(0.005)


def assert_same_results(one: Path, other: Path) -> None:
    """The same draws, and the same last training checkpoint but for the seconds in it."""
    for name in ("evaluate", "hmc"):
        draws = [read_draws(path / f"chains/{name}.h5")[0] for path in (one, other)]
        jax.tree.map(np.testing.assert_array_equal, *draws)
    a, b = (latest_checkpoint(path / "checkpoints", "train") for path in (one, other))
    assert a is not None
    assert b is not None
    assert a.name == b.name
    assert leaf_bytes(a) == leaf_bytes(b)


def leaf_bytes(path: Path) -> bytes:
    """What follows the header of a checkpoint, without the checksum."""
    data = path.read_bytes()
    length = int.from_bytes(data[23:31], "little")
    return data[31 + length : -32]


def test_a_debug_run_leaves_everything(finished: tuple[Path, int, str]) -> None:
    path, code, out = finished
    assert code == 0
    assert out.strip() == str(path / "report.html")
    for name in ("config.yaml", "summary.json", "report.html", "metrics.csv", "log.txt"):
        assert (path / name).stat().st_size > 0
    for sampler, n in (("evaluate", 24), ("hmc", 40)):
        draws, _ = read_draws(path / f"chains/{sampler}.h5")
        assert draws.observables["plaquette"].shape == (4, n)
    with (path / "metrics.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [2, 4, 6, 8]
    assert "git_commit" in (path / "config.yaml").read_text()


def test_a_second_start_compiles_nothing_and_draws_the_same(
    finished: tuple[Path, int, str], environment: dict[str, str], tmp_path: Path
) -> None:
    def compiled() -> set[str]:
        cache = Path(environment["XDG_CACHE_HOME"])
        return {p.name for p in cache.rglob("*") if p.is_file() and not p.name.endswith("atime")}

    before = compiled()
    process = start(environment, *TINY, f"hydra.run.dir={tmp_path / 'second'}")
    process.communicate(timeout=600)
    assert process.returncode == 0
    assert before
    assert compiled() == before
    assert_same_results(finished[0], tmp_path / "second")


def test_a_killed_run_goes_on_bit_for_bit(
    finished: tuple[Path, int, str], environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "killed"
    arguments = [*TINY, f"hydra.run.dir={path}"]
    for pattern in ("train-*4.ckpt", "tune-evaluate*.ckpt", "hmc-*.ckpt"):
        process = start(environment, *arguments)
        wait_for(process, path / "checkpoints", pattern)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        arguments = ["resume", str(path)]
    assert not (path / "summary.json").exists()
    process = start(environment, *arguments)
    process.communicate(timeout=600)
    assert process.returncode == 0
    assert (path / "report.html").exists()
    assert_same_results(finished[0], path)


def test_ctrl_c_says_how_to_go_on(
    finished: tuple[Path, int, str], environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "interrupted run"
    process = start(environment, *TINY, f"hydra.run.dir='{path}'")
    wait_for(process, path / "checkpoints", "train-*.ckpt")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err.splitlines()[-1].endswith(f"gaugemc resume '{path}'")
    assert "Traceback" not in err
    process = start(environment, "resume", str(path))
    process.communicate(timeout=600)
    assert process.returncode == 0
    assert_same_results(finished[0], path)


def heeds(process: subprocess.Popen[str]) -> bool:
    """Whether the program has begun: it has a handler of SIGTERM."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_a_signal_at_any_moment_is_one_line(
    finished: tuple[Path, int, str], environment: dict[str, str], tmp_path: Path
) -> None:
    """From the first import to the last chunk; all the interruptions together change no draw."""
    path = tmp_path / "interrupted"
    arguments = [*TINY, f"hydra.run.dir={path}"]
    for delay, number in zip((0, 0.2, 0.6, 1.5, 3, 6), 3 * (signal.SIGINT, signal.SIGTERM)):
        process = start(environment, *arguments)
        while not heeds(process):
            assert process.poll() is None
            time.sleep(0.002)
        time.sleep(delay)
        process.send_signal(number)
        _, err = process.communicate(timeout=300)
        if process.returncode == 0:  # a fast machine
            break
        assert process.returncode == 128 + number, err
        assert "Traceback" not in err
        said = [line for line in err.splitlines() if not line.startswith("run directory: ")]
        assert len(said) == 1
        assert said[0] in (
            "gaugemc: interrupted",
            f"gaugemc: interrupted; go on with: gaugemc resume {path}",
        )
    process = start(environment, *arguments)
    process.communicate(timeout=600)
    assert process.returncode == 0
    assert_same_results(finished[0], path)
    assert not [*path.rglob(".tmp-*")]


def test_ctrl_c_ends_a_whole_sweep(environment: dict[str, str], tmp_path: Path) -> None:
    process = start(
        environment, "--multirun", *TINY, "seed=1,2", f"hydra.sweep.dir={tmp_path / 'sweep'}"
    )
    wait_for(process, tmp_path / "sweep", "0/checkpoints/*.ckpt")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Traceback" not in err
    for words in (f"gaugemc resume {tmp_path}/sweep/0", f"hydra.sweep.dir={tmp_path}/sweep"):
        assert words in err.splitlines()[-1]
    assert not (tmp_path / "sweep/1").exists()


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """Directories with the names of all runs and sweeps that could start in the next minutes."""
    paths = []
    for second in range(600):
        moment = datetime.now() + timedelta(seconds=second)
        for root in ("outputs", "multirun"):
            paths.append(tmp_path / f"{root}/{moment:%Y-%m-%d}/{moment:%H-%M-%S}-debug")
            paths[-1].mkdir(parents=True)
    return paths


QUICK = [*TINY, "sampler=heatbath", "evaluate.hmc_draws=0"]


def test_a_taken_name_gets_a_number(command: Command, taken: list[Path]) -> None:
    code, out, _ = command(*QUICK)
    assert code == 0
    run = Path(out.strip()).parent
    assert run.name.endswith("-debug-1")
    assert run.with_name(run.name.removesuffix("-1")) in taken
    assert not any([*path.iterdir()] for path in taken)


def test_two_sweeps_do_not_meet(command: Command, taken: list[Path]) -> None:
    code, out, _ = command("--multirun", *QUICK, "seed=1,2")
    assert code == 0
    *reports, scan = map(Path, out.splitlines())
    runs = [report.parent for report in reports]
    assert [run.name for run in runs] == ["0", "1"]
    assert scan.parent == runs[0].parent
    assert runs[0].parent == runs[1].parent
    assert runs[0].parent.name.endswith("-debug-1")
    assert (runs[0].parent / "multirun.yaml").exists()
    assert not any([*path.iterdir()] for path in taken)


@pytest.mark.slow
def test_runs_that_start_together_do_not_meet(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three in directories of their own, and three that want the same one; about a minute."""
    monkeypatch.chdir(tmp_path)
    apart = [start(environment, *QUICK, f"seed={seed}") for seed in (1, 2, 3)]
    same = [start(environment, *QUICK, "hydra.run.dir=same") for _ in range(3)]
    for seed, process in enumerate(apart, start=1):
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        path = Path(out.strip()).parent
        assert read_draws(path / "chains/evaluate.h5")[1]["seed"] == seed
        assert json.loads((path / "summary.json").read_text())["evaluate"]["draws"] == 24
    assert len([*Path("outputs").glob("*/*")]) == 3
    ends = [process.communicate(timeout=600)[1].splitlines()[-1] for process in same]
    codes = [process.returncode for process in same]
    assert set(codes) <= {0, 2}
    assert 0 in codes
    for code, end in zip(codes, ends):
        assert (code == 2) == ("another process works there" in end)
    one = next(Path("outputs").glob("*/*"))
    seeds = {read_draws(p / "chains/evaluate.h5")[1]["seed"]: p for p in one.parent.iterdir()}
    draws = [read_draws(p / "chains/evaluate.h5")[0] for p in (seeds[1], Path("same"))]
    jax.tree.map(np.testing.assert_array_equal, *draws)


def test_a_run_of_a_framework_that_is_not_here_is_refused(
    command: Command, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gaugemc.choices.frameworks.find_spec", lambda name: None)
    config = copy / "config.yaml"
    config.write_text(config.read_text().replace("framework: jax", "framework: pytorch"))
    problem = 'framework=pytorch: not installed: pip install "gaugemc[torch]"'
    assert command("resume", str(copy)) == (2, "", f"gaugemc: {problem}\n")


def test_a_second_process_is_told_who_works_there(command: Command, copy: Path) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    with locked(copy):
        for arguments in (
            ["resume", str(copy)],
            ["resume", str(copy), "evaluate.draws=100"],
            ["report", str(copy)],
            [*TINY, f"hydra.run.dir={copy}"],
        ):
            code, out, err = command(*arguments)
            assert (code, out) == (2, "")
            line = err.splitlines()[-1]
            assert f"pid {os.getpid()}" in line
            assert "another process works there" in line
    assert before == {path: path.read_bytes() for path in before}


MISTAKES = [
    ("theory.lattice=[6,8]", ["theory.lattice", "6", "4, 8"]),
    ("theory.lattice=[8]", ["theory.lattice=[8]", "two or more"]),
    ("theory.lattice=[0,8]", ["theory.lattice=[0, 8]", "positive whole numbers"]),
    ("sampler=hmc theory.group=SU1", ["theory.group=SU1", "U1, SU2, SU3"]),
    ("sampler=hmc theory.lattice=[1,8]", ["theory.lattice=[1, 8]: needs two or more directions"]),
    ("theory.beta=-1", ["theory.beta=-1", "at least 0"]),
    ("theory.beta=nan", ["theory.beta=nan", "at least 0"]),
    ("theory.beta=inf", ["theory.beta=inf", "finite"]),
    ("chains=0", ["chains=0", "at least 1"]),
    ("flow=nope", ["flow=nope", "ncp", "spline"]),
    ("theory=nope", ["theory=nope", "u1_2d", "su3_4d"]),
    ("sampler=nope", ["sampler=nope", "fthmc", "heatbath"]),
    ("mode=nope", ["mode=nope", "debug", "default"]),
    ("nope=1", ["nope", "theory", "seed"]),
    ("+nope=1", ["nope", "theory", "seed"]),
    ("theory.nope=1", ["theory.nope", "theory.lattice", "theory.beta"]),
    ("chains=many", ["chains=many", "an integer"]),
    ("theory.lattice=8", ["theory.lattice=8", "list"]),
    ("theory=su3_2d", ["flow=ncp: needs 2D U(1)", "SU(3)", "hmc"]),
    ("sampler=heatbath theory.lattice=[13,4]", ["theory.lattice=[13, 4]", "even"]),
    (
        "sampler=heatbath theory.lattice=[2,4] theory.action=iwasaki",
        ["theory.lattice=[2, 4]", "multiples of 4"],
    ),
    ("sampler=hmc theory.action=wislon", ["theory.action=wislon", "wilson, symanzik", "dbw2"]),
    ("sampler=hmc theory.c1=nan", ["theory.c1=nan", "must be finite"]),
    ("sampler=hmc theory.action=dbw2 theory.c1=0.1", ["theory.c1=0.1", "theory.action=dbw2"]),
    ("sampler=exact theory.c1=-0.1", ["sampler=exact", "needs Wilson's action", "hmc"]),
    (
        "flow=multiscale training.objective=levels theory.c1=-0.1",
        ["levels: need 2D U(1)", "c1 = -0.1", "choose"],
    ),
    ("framework=theano", ["framework=theano", "choose one of jax, pytorch, tensorflow"]),
    ("backend=ddp", ["backend=ddp", "framework=jax", "framework=pytorch backend=ddp"]),
    ("native=on", ["native=on", "auto, off"]),
    ("precision=fp8", ["precision=fp8", "bf16"]),
    ("training.doublings=7", ["training.doublings=7", "at most 6"]),
    ("flow=multiscale training.doublings=1", ["training.doublings=1", "levels do not grow"]),
    ("training.schedule=step", ["training.schedule=step", "plateau"]),
    ("training.plateau_factor=1", ["training.plateau_factor=1", "between 0 and 1"]),
    ("sampler=l2hmc loss.aux_weight=-1", ["loss.aux_weight=-1", "at least 0"]),
    ("training.warmup=-1", ["training.warmup=-1", "at least 0"]),
    ("training.anneal_start=nan", ["training.anneal_start=nan", "between 0 and 1"]),
    ("network.hidden=[0]", ["network.hidden=[0]", "positive"]),
    ("sampler=l2hmc network.hidden=[]", ["network.hidden=[]", "one hidden layer"]),
    (
        "theory=su3_2d flow=stout flow.network=true network.hidden=[]",
        ["network.hidden=[]", "one hidden layer"],
    ),
    ("evaluate.lengths=[]", ["evaluate.lengths=[]: needs finite numbers above 0"]),
    ("evaluate.targets=[1.0]", ["evaluate.targets=[1.0]", "between 0 and 1"]),
    ("flow.load=/nowhere", ["flow.load=/nowhere", "not a run"]),
    (
        "flow.load=gaugemc:nothing",
        ["flow.load=gaugemc:nothing", "choose gaugemc:couplings_8x8_beta6, gaugemc:ncp"],
    ),
    ("sampler=l2hmc dynamics.n_leapfrog=0", ["dynamics.n_leapfrog=0", "at least 1"]),
    ("sampler=l2hmc dynamics.eps=0", ["dynamics.eps=0", "positive"]),
    ("sampler=l2hmc dynamics.network=nope", ["dynamics.network=nope", "gauge", "dense"]),
    ("sampler=l2hmc dynamics.direction=up", ["dynamics.direction=up", "palindrome", "random"]),
    ("sampler=l2hmc loss.form=nope", ["loss.form=nope", "mixed", "plain"]),
    (
        "sampler=l2hmc loss.charge_weight=0",
        ["loss.plaquette_weight=0", "this or loss.charge_weight or loss.distance_weight a"],
    ),
    (
        "sampler=l2hmc theory=su3_2d loss.plaquette_weight=0",
        ["loss.plaquette_weight=0", "this or loss.energy_weight or loss.distance_weight a"],
    ),
    (
        "training.objective=jump loss.charge_weight=0",
        ["loss.plaquette_weight=0", "this or loss.charge_weight or loss.distance_weight a"],
    ),
    (
        "theory=su2_4d flow=stout flow.network=true training.objective=jump",
        ["training.objective=jump", "in 4D", "at most 256", "choose flow.network=false"],
    ),
    (
        "theory=su3_4d flow=stout flow.sweeps=11 sampler=mixed training.objective=jump",
        ["training.objective=jump", "in 4D", "at most 256", "the flow has 264", "flow.sweeps=1"],
    ),
    ("training.objective=jump loss.form=energy", ["loss.form=energy", "plain or mixed"]),
    ("sampler=flow training.objective=jump", ["objective=jump: sampler=flow", "fthmc"]),
    ("sampler=l2hmc loss.charge_scale=0", ["loss.charge_scale=0", "positive"]),
    ("flow=stout flow.rho=0.45", ["flow.rho=0.45", "-0.45 and 0.45", "flow.contraction=0.9"]),
    ("flow=stout flow.rho=1", ["flow.rho=1.0", "-0.45 and 0.45", "2 plaquettes"]),
    ("theory=su3_4d flow=stout flow.rho=-2", ["flow.rho=-2", "-0.15 and 0.15", "6 plaquettes"]),
    ("flow=stout flow.contraction=1", ["flow.contraction=1", "between 0 and 1"]),
    ("flow=stout theory.lattice=[4,5]", ["theory.lattice=[4, 5]", "even extents"]),
    ("flow=stout flow.rectangles=true theory.lattice=[4,6]", ["theory.lattice=[4, 6]", "of 4"]),
    ("flow=stout flow.rectangles=true theory.lattice=[2,4]", ["theory.lattice=[2, 4]", "of 4"]),
    ("flow=stout theory=su3_4d training.objective=levels", ["objective=levels", "reverse_kl"]),
    ("flow=continuous", ["flow=continuous: needs", "2D SU(N)", "2D U(1)"]),
    ("flow=continuous theory=su2_2d flow.degree=4", ["flow.degree=4", "1, 2 or 3"]),
    ("flow=continuous theory=su2_2d flow.steps=0", ["flow.steps=0", "at least 1"]),
    ("flow=continuous theory=su2_2d theory.lattice=[4,2]", ["theory.lattice=[4, 2]", "3 or more"]),
    ("training.objective=forces training.force_beta=9", ["training.force_beta=9", "theory.beta=4"]),
    ("flow=multiscale flow.start=zero", ["flow.start=zero", "quantiles, identity"]),
    ("sampler=l2hmc training.objective=levels", ["training.objective=levels", "jump"]),
    ("sampler=l2hmc dynamics.load=/nowhere", ["dynamics.load=/nowhere", "not a run"]),
    ("sampler=l2hmc theory.lattice=[4,4,4]", ["loss.charge_weight", "3D U(1)"]),
    (
        "sampler=l2hmc theory=su3_2d dynamics.network=conv",
        ["dynamics.network=conv", "not links of 2D SU(3)", "force or gauge"],
    ),
    (
        "sampler=l2hmc theory=su3_2d dynamics.network=series",
        ["dynamics.network=series", "2D U(1)", "choose force"],
    ),
    (
        "sampler=l2hmc dynamics.network=series dynamics.harmonics=0",
        ["dynamics.harmonics=0", "at least 1"],
    ),
    ("theory=ring", ["sampler=fthmc", "no links", "sampler=hmc or sampler=l2hmc"]),
    ("theory=ring sampler=heatbath", ["sampler=heatbath", "no links", "sampler=l2hmc"]),
    ("theory=ring sampler=hmc theory.lattice=[8,8]", ["theory.lattice=[8, 8]", "leave it at []"]),
    ("theory=ring sampler=hmc theory.beta=2", ["theory.beta=2.0", "leave it at 1"]),
    ("theory=ring sampler=hmc theory.group=U1", ["theory.group=U1", "leave it at null"]),
    ("theory=ring sampler=hmc theory.toy=nope", ["theory.toy=nope", "leave it at ring"]),
    ("theory=ring sampler=l2hmc dynamics.network=conv", ["dynamics.network=conv", "dense"]),
    ("theory=ring sampler=l2hmc loss.charge_weight=1", ["loss.charge_weight=1", "set it to 0"]),
    ("theory=ring sampler=l2hmc loss.plaquette_weight=1", ["loss.plaquette_weight=1", "distance"]),
    ("theory=ring sampler=l2hmc loss.distance_scale=0", ["loss.distance_scale=0", "positive"]),
    ("sampler=l2hmc loss.whitened_weight=1", ["loss.whitened_weight=1", "links"]),
    ("sampler=hmc theory.group=null", ["theory.group=None", "U1"]),
    ("theory.beta=1e300", ["theory.beta=1e+300", "float32"]),
    ("theory.beta=1e7", ["theory.beta=10000000.0", "at most 1e+06"]),
    ("theory.beta=2,3", ["theory.beta=2,3", "--multirun"]),
    ("seed=9223372036854775808", ["seed=9223372036854775808", "2**63 - 1"]),
    ("seed=???", ["seed=???", "no value"]),
    ("~seed", ["seed", "cannot be left out"]),
    ("=3", ["=3", "KEY=VALUE"]),
    ("foo", ["foo", "neither KEY=VALUE nor a command"]),
    ("--foo", ["--foo", "--help"]),
    ("theory.beta=1 --multirun seed=1,2", ["seed=1,2: write all KEY=VALUE", "--multirun"]),
    ("theory=null", ["theory=null", "u1_2d"]),
    ("sampler=[hmc,flow]", ["sampler=[hmc,flow]", "choose one of", "fthmc"]),
    ("chains=1.5", ["chains=1.5", "an integer"]),
    ("theory.lattice=[8.5,8]", ["theory.lattice=[8.5,8]", "list of integers"]),
    ("training.lattice=8", ["training.lattice=8", "list of integers, as [8,8] or null"]),
    ("tracker.also=tensorboard", ["tracker.also=tensorboard", "list of names"]),
    ("devices.count=many", ["devices.count=many", "an integer or null"]),
    ("flow.load=a=b", ["flow.load=a=b", "'flow.load=\"a=b\"'"]),
    ("--multirun theory=glob(su3*)", ["theory=glob(su3*)", "theory=A,B"]),
    ("--multirun theory.beta=interval(1,2)", ["theory.beta=interval(1,2)", "theory.beta=A,B"]),
    ("+theory.extra=1", ["theory.extra", "theory.beta"]),
    ("+seed=2", ["+seed", "leave out the +"]),
    ("name=../../x", ["name=../../x", "letters"]),
    ("name=..", ["name=..", "letters"]),
    ("name=é/ü", ["name=é/ü", "letters"]),
    ("name=", ["name=", "letters"]),
    ("theory.name=", ["theory.name=", "empty"]),
    ("flow.load=", ["flow.load=", "empty"]),
    ("hydra.run.dir=", ["hydra.run.dir=", "must be a name"]),
    ("hydra.job.chdir=true flow.load=nowhere", ["flow.load=/", "/nowhere is not a run"]),
    ("theory.lattice=[1000000,1000000]", ["theory.lattice", "TB of memory", "reduce"]),
    ("chains=1000000000", ["chains=1000000000", "TB of memory", "reduce chains"]),
    ("chains=3000000000", ["chains=3000000000", "at most 2147483647"]),
    ("evaluate.draws=2000000000", ["evaluate.draws=2000000000", "TB of memory", "or chains"]),
    ("training.batch=1000000000", ["training.batch=1000000000", "TB of memory", "reduce"]),
    ("flow.n_layers=2000000000", ["flow.n_layers=2000000000", "TB of memory", "reduce"]),
    ("network.kernel_size=1000000001", ["network.kernel_size", "EB of memory"]),
    ("network.hidden=[[]]", ["network.hidden=[[]]", "lists of lists"]),
    ("training.doublings=2000000000", ["training.doublings=2000000000", "at most 6"]),
    ("sampler=l2hmc theory=su3_2d loss.charge_weight=1", ["loss.charge_weight=1", "2D SU(3)"]),
    ("sampler=l2hmc loss.energy_weight=1", ["loss.energy_weight=1", "U(1)", "set it to 0"]),
    (
        "sampler=l2hmc theory=su3_4d dynamics.n_leapfrog=4",
        ["dynamics.n_leapfrog=4", "omf4 has 5 forces"],
    ),
    (
        "sampler=l2hmc theory=su3_4d dynamics.separate_networks=false",
        ["dynamics.separate_networks=False", "dynamics.integrator=leapfrog"],
    ),
    ("sampler=l2hmc loss.flow_time=0", ["loss.flow_time=0", "positive"]),
    ("sampler=l2hmc loss.flow_time=1e6", ["loss.flow_time=1000000.0", "at most 100"]),
    ("mode=demo theory=su3_4d", ["flow=multiscale: needs", "4D SU(3)", "sampler=hmc"]),
    ("mode=demo theory=ring", ["sampler=fthmc", "no links", "sampler=l2hmc"]),
    ("sampler=hmc flow.load=/nowhere", ["flow.load=/nowhere", "not a run"]),
    ("sampler=hmc precision=bf16", ["precision=bf16", "sampler=hmc has none"]),
    ("flow=multiscale precision=fp16", ["precision=fp16", "flow=multiscale has none"]),
    ("--multirun theory.beta=2,-1", ["job 1 of 2", "theory.beta=-1", "at least 0", "no job"]),
    ("--multirun theory.beta=2,x", ["job 1 of 2", "theory.beta=x", "a number"]),
    ("--multirun sampler=hmc,nope", ["sampler=nope", "fthmc"]),
    ("--multirun name=../x", ["name=../x", "letters"]),
    ("resume", ["resume needs one run directory"]),
    ("resume /nowhere", ["/nowhere", "not a run"]),
    ("report /nowhere", ["/nowhere", "no such file"]),
    (
        "theory=su3_4d sampler=hmc evaluate.start=absent",
        ["evaluate.start=", "absent: No such"],
    ),
]


@pytest.mark.parametrize(("arguments", "expected"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_a_mistake_is_one_line(command: Command, arguments: str, expected: list[str]) -> None:
    code, out, err = command(*arguments.split())
    assert code == 2
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith("gaugemc: ")
    assert len(lines) == 1 or arguments == "resume"  # which shows the usage below
    for word in expected:
        assert word in lines[0]
    assert list(Path.cwd().iterdir()) == []


def test_settings_without_a_meaning_are_named(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "run_and_show", lambda *_, **__: 0)
    code, _, err = command("sampler=hmc", "flow=spline", "training.steps=5", "hydra.run.dir=run")
    assert code == 0
    line = "unused: flow (sampler=hmc has no flow); training.steps (sampler=hmc is not trained)"
    assert f"gaugemc: {line}\n" in err
    assert Path("run/log.txt").read_text().endswith(f" {line}\n")
    _, _, err = command("sampler=fthmc", "flow=spline", "hydra.run.dir=other")
    assert "unused" not in err


def test_a_relative_path_is_that_of_the_command_line(
    command: Command, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(cli, "run_and_show", lambda settings, *_, **__: seen.append(settings) or 0)
    more = ["flow.load=copy", "hydra.job.chdir=true", "hydra.run.dir=new"]
    code, _, err = command(*TINY, *more)
    assert code == 0, err
    assert seen[0].flow.load == str(copy)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"XDG_CACHE_HOME": "{}/a", "HOME": "{}/b"}, "a/gaugemc"),
        ({"XDG_CACHE_HOME": "", "HOME": "{}/b"}, "b/.cache/gaugemc"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "{}/b"}, "b/.cache/gaugemc"),
        ({"XDG_CACHE_HOME": "/dev/null", "HOME": "{}/b"}, None),
    ],
)
def test_the_cache_is_where_it_can_be_written(
    environment: dict[str, str],
    expected: str | None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    assert cache_directory() == (tmp_path / expected if expected else None)


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert cache_directory() is None


def test_a_directory_that_cannot_be_written_is_one_line(command: Command) -> None:
    Path("file").write_text("")
    code, _, err = command("hydra.run.dir=file/run")
    assert code == 2
    assert err == (
        "gaugemc: file/run: cannot be written: Not a directory;"
        " choose another hydra.run.dir (of a sweep: hydra.sweep.dir)\n"
    )


@pytest.fixture
def copy(finished: tuple[Path, int, str], tmp_path: Path) -> Path:
    """A copy of the finished run, to damage."""
    return Path(shutil.copytree(finished[0], tmp_path / "copy"))


def test_another_run_is_not_overwritten(command: Command, copy: Path) -> None:
    before = (copy / "config.yaml").read_text()
    code, _, err = command(*TINY, "seed=2", f"hydra.run.dir={copy}")
    assert code == 2
    assert err.count("\n") == 1
    assert "seed=2" in err
    assert "seed=1" in err
    assert (copy / "config.yaml").read_text() == before


def test_more_draws_of_a_finished_run(command: Command, copy: Path) -> None:
    old = read_draws(copy / "chains/evaluate.h5")[0]
    code, _, err = command("resume", str(copy), "evaluate.draws=48", "theory.beta=3")
    assert code == 2
    assert err.startswith("gaugemc: theory.beta=3: cannot change in a run")
    assert err.count("\n") == 1
    assert command("resume", str(copy), "evaluate.draws=48")[0] == 0
    new = read_draws(copy / "chains/evaluate.h5")[0]
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b[:, :24]), old, new)
    assert new.info.accepted.shape == (4, 48)
    assert json.loads((copy / "summary.json").read_text())["evaluate"]["draws"] == 48


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_more_draws_in_spite_of_a_damaged_summary(command: Command, copy: Path, text: str) -> None:
    (copy / "summary.json").write_text(text)
    assert command("resume", str(copy), "evaluate.draws=???")[0] == 2
    assert command("resume", str(copy), "evaluate.draws=30")[0] == 0
    assert json.loads((copy / "summary.json").read_text())["evaluate"]["draws"] == 30


@pytest.mark.parametrize("old", [".ckpt", ".draws"])
def test_a_file_in_the_place_of_another_is_named(command: Command, copy: Path, old: str) -> None:
    """Draws where states should be, and states where draws should be."""
    newest = sorted((copy / "checkpoints").glob("evaluate-*.ckpt"))[-1]
    other = {".ckpt": ".draws", ".draws": ".ckpt"}[old]
    shutil.copy(newest.with_suffix(other), newest.with_suffix(old))
    code, _, err = command("resume", str(copy), "evaluate.draws=48")
    assert code == 2
    assert err.count("\n") == 1
    assert newest.name in err


@pytest.mark.parametrize(
    ("edited", "refusal"),
    [
        (("seed: 1", "seed: 2"), "seed=2: {0} holds a run with seed=1;"),
        (("beta: 2.0", "beta: 3.0"), "theory.beta=3.0: {0} holds a run with theory.beta=2.0;"),
        (("measure_every: 1", "measure_every: 3"), "evaluate.measure_every=3: {0} holds a run"),
        (("  draws: 24", "  draws: 12"), "evaluate.draws=12: 24 are done"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_what_is_edited_in_config_does_not_go_on_with_other_draws(
    command: Command, copy: Path, edited: tuple[str, str], refusal: str
) -> None:
    config = copy / "config.yaml"
    text = config.read_text()
    assert text.count(edited[0]) == 1
    config.write_text(text.replace(*edited))
    code, _, err = command("resume", str(copy))
    assert (code, err.count("\n")) == (2, 1)
    assert refusal.format(copy) in err
    shutil.rmtree(copy / "checkpoints")
    assert command("resume", str(copy))[0] == 0


def test_a_report_says_what_it_lacks(command: Command, copy: Path) -> None:
    for name in ("metrics.csv", "chains/hmc.h5", "config.yaml"):
        (copy / name).unlink()
    summary = copy / "summary.json"
    numbers = json.loads(summary.read_text())
    numbers["evaluate"]["draws"] = 12
    summary.write_text(json.dumps(numbers))
    code, out, err = command("report", str(copy))
    assert code == 0
    assert out.strip() == str(copy / "report.html")
    lines = err.splitlines()
    assert len(lines) == 4
    for line, name in zip(lines, ("config.yaml", "metrics.csv", "chains/hmc.h5")):
        assert line == f"gaugemc: {copy / name}: not found, and left out"
    assert "24 draws of FT-HMC in chains/, and 12 in summary.json" in lines[-1]


def test_a_full_disk_says_how_to_go_on(
    command: Command, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: object) -> None:
        raise OSError(errno.ENOSPC, "cannot write: No space left on device", str(path))

    monkeypatch.setattr(chain_phase, "save_checkpoint", full)
    code, _, err = command("resume", str(copy), "evaluate.draws=48")
    assert code == 1
    assert err.count("\n") == 1
    for words in ("No space left on device", "evaluate-", f"go on with: gaugemc resume {copy}"):
        assert words in err


def test_a_directory_that_is_removed_is_not_made_again(
    command: Command, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        shutil.rmtree(copy, ignore_errors=True)

    monkeypatch.setattr(chain_phase, "save_checkpoint", gone)
    code, _, err = command("resume", str(copy), "evaluate.draws=48", "evaluate.hmc_draws=80")
    assert code == 2
    assert err.count("\n") == 1
    assert f"{copy} was removed or emptied" in err
    assert not copy.exists()


def test_report_draws_again(command: Command, copy: Path) -> None:
    (copy / "report.html").unlink()
    code, out, _ = command("report", str(copy))
    assert code == 0
    assert out.strip() == str(copy / "report.html")
    assert (copy / "report.html").exists()


def test_a_multirun_has_a_page_of_all_its_runs(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(settings: Settings, path: Path, **_: str) -> int:
        put_run(path, {"theory": {"beta": settings.theory.beta}})
        return 3 if settings.theory.beta == 1 else 0

    monkeypatch.setattr(cli, "run_and_show", run)
    code, out, _ = command("--multirun", "theory.beta=1,2", "hydra.sweep.dir=scan")
    assert code == 3
    page = Path("scan/report.html").absolute()
    assert out.strip() == str(page)
    first = page.read_text()
    assert "scan of β" in first
    assert 'href="1/report.html"' in first
    page.unlink()
    code, out, _ = command("report", "scan")
    assert (code, out.strip()) == (0, "scan/report.html")
    assert page.read_text() == first


def test_a_multirun_in_which_nothing_started_has_no_page(command: Command) -> None:
    code, out, err = command("--multirun", "theory.beta=-1,-2", "hydra.sweep.dir=scan")
    assert code == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert not Path("scan/report.html").exists()


def test_a_damaged_checkpoint_is_skipped_for_an_older_one(command: Command, copy: Path) -> None:
    newest = latest_checkpoint(copy / "checkpoints", "train")
    assert newest is not None
    wanted = leaf_bytes(newest)
    newest.write_bytes(newest.read_bytes()[:-100])
    code, _, _ = command("resume", str(copy))
    assert code == 0
    assert f"skipped {newest}" in (copy / "log.txt").read_text()
    assert leaf_bytes(newest) == wanted


def test_only_damaged_checkpoints_are_one_line(command: Command, copy: Path) -> None:
    for path in (copy / "checkpoints").glob("hmc-*.ckpt"):
        path.write_bytes(b"\0" * 100)
    code, _, err = command("resume", str(copy))
    assert code == 2
    assert err.count("\n") == 1
    for word in ("gaugemc: ", "hmc-", "remove them"):
        assert word in err


def test_an_extension_that_is_refused_leaves_the_run_as_it_was(
    command: Command, copy: Path
) -> None:
    """Neither damaged nor missing checkpoints make a finished run forget its draws."""
    before = (copy / "config.yaml").read_text()
    for path in (copy / "checkpoints").glob("evaluate-*.ckpt"):
        path.write_bytes(b"\0" * 100)
    code, _, err = command("resume", str(copy), "evaluate.draws=200")
    assert (code, "not a gaugemc checkpoint" in err) == (2, True)
    assert (copy / "config.yaml").read_text() == before
    for path in (copy / "checkpoints").glob("evaluate-*.ckpt"):
        path.unlink()
    code, _, err = command("resume", str(copy), "evaluate.draws=5")
    assert (code, "none is thrown away" in err) == (2, True)
    assert (copy / "config.yaml").read_text() == before


def test_a_checkpoint_of_another_architecture_is_one_line(command: Command, copy: Path) -> None:
    for name in ("config.yaml", "checkpoints/settings.yaml"):
        text = (copy / name).read_text()
        assert "hidden:\n  - 4\n" in text
        (copy / name).write_text(text.replace("hidden:\n  - 4\n", "hidden:\n  - 5\n"))
    code, _, err = command("resume", str(copy))
    assert code == 2
    assert err.count("\n") == 1
    assert "another architecture" in err


def test_a_flow_of_another_architecture_is_not_loaded(command: Command, copy: Path) -> None:
    code, _, err = command(*TINY, "network.hidden=[5]", f"flow.load={copy}", "hydra.run.dir=new")
    assert code == 2
    said = "trained with network.hidden=[4], not [5]: set network.hidden=[4]"
    assert err == f"gaugemc: flow.load={copy}: {said}\n"
    assert not Path("new").exists()


def test_a_flow_of_another_group_is_not_loaded(command: Command, copy: Path) -> None:
    code, _, err = command("theory=su2_2d", "flow=stout", f"flow.load={copy}", "hydra.run.dir=new")
    assert code == 2
    assert err == f"gaugemc: flow.load={copy}: trained for theory.group=U1, not SU2\n"


GOOD, BAD, OPEN = bounded(0.0, 1.0), bounded(2.0, 1.0), undecided("charge is frozen")


@pytest.mark.parametrize(
    ("own", "baseline", "code", "said"),
    [
        (GOOD, GOOD, 0, "all 3 exactness checks passed."),
        (GOOD, OPEN, 0, "2 of 3 exactness checks passed, 1 undecided, all of HMC."),
        (GOOD, BAD, 3, "1 of 3 exactness checks FAILED: hmc_plaquette."),
        (OPEN, GOOD, 3, "2 of 3 exactness checks passed, 1 undecided."),
        (BAD, OPEN, 3, "1 of 3 exactness checks FAILED: plaquette, 1 undecided, all of HMC."),
    ],
    ids=["passed", "baseline undecided", "baseline failed", "undecided", "failed"],
)
def test_outcomes_are_said_and_with_strict_an_exit_code(
    command: Command,
    copy: Path,
    monkeypatch: pytest.MonkeyPatch,
    own: Check,
    baseline: Check,
    code: int,
    said: str,
) -> None:
    found = iter([own, baseline])
    monkeypatch.setattr(experiment, "of_maps", lambda *_: {"log_det": GOOD})
    monkeypatch.setattr(experiment, "of_chains", lambda *_: {"plaquette": next(found)})
    ended, _, err = command(*TINY, "strict=true", f"hydra.run.dir={copy}")
    assert ended == code
    assert ("checks FAILED" in err) == (BAD in (own, baseline))
    assert ("plaquette: charge is frozen" in err) == (own is OPEN)
    summary = json.loads((copy / "summary.json").read_text())
    assert summary["checks"]["plaquette"]["outcome"] == own.outcome
    assert summary["checks"]["hmc_plaquette"]["passed"] is baseline.passed
    assert summary["verdict"].endswith(said)


def test_without_strict_an_open_check_is_no_error(command: Command, copy: Path) -> None:
    assert command("resume", str(copy))[0] == 0
