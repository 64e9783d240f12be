"""What frameworks and backends are refused, each in one line that says what to do."""

import json
import sys
from typing import Any

import pytest
from composed import composed

from gaugemc.choices import frameworks
from gaugemc.choices.frameworks import (
    FRAMEWORKS,
    launcher,
    processes,
    rank,
    refuse_framework,
    refuse_launcher,
    refuse_parts,
    refuse_zero,
)
from gaugemc.choices.option import SettingsError
from gaugemc.choices.validation import refuse
from gaugemc.interop import engine_of


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frameworks, "find_spec", lambda package: object())


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """As torchrun starts the second of two processes."""
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")


@pytest.mark.parametrize(
    ("framework", "extra"), [("pytorch", "torch"), ("tensorflow", "tensorflow")]
)
def test_what_is_not_installed_comes_with_the_command(
    framework: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frameworks, "find_spec", lambda package: None)
    problem = rf'^framework={framework}: .*pip install "gaugemc\[{extra}\]"$'
    with pytest.raises(SettingsError, match=problem):
        refuse_framework(framework, "none")


def test_a_wrong_pair_comes_with_the_valid_ones(installed: None) -> None:
    pairs = [f"framework={f} backend={b}" for f, of in FRAMEWORKS.items() for b in of.backends]
    with pytest.raises(SettingsError, match=r"^backend=ddp: ") as error:
        refuse_framework("jax", "ddp")
    assert str(error.value).endswith(f"choose one of {', '.join(pairs)}")
    assert "\n" not in str(error.value)


def test_processes_and_backend_must_fit(installed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_framework("pytorch", "none")
    with pytest.raises(SettingsError, match=r"backend=ddp: .*torchrun --nproc_per_node"):
        refuse_framework("pytorch", "ddp")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    refuse_framework("pytorch", "ddp")
    advice = "choose backend=ddp or backend=deepspeed$"
    with pytest.raises(
        SettingsError, match=rf"backend=horovod: .*there are 2 of torchrun: {advice}"
    ):
        refuse_framework("pytorch", "horovod")
    with pytest.raises(SettingsError, match=r"backend=horovod: .*: start with horovodrun -np 2"):
        refuse_framework("tensorflow", "horovod")


def test_backends_but_ddp_train_in_one_process_too(installed: None) -> None:
    for framework, backend in (
        ("pytorch", "deepspeed"),
        ("pytorch", "horovod"),
        ("tensorflow", "horovod"),
        ("tensorflow", "multiworker"),
    ):
        refuse_framework(framework, backend)


@pytest.mark.parametrize(
    ("framework", "package"), [("pytorch", "torch"), ("tensorflow", "tensorflow")]
)
def test_what_is_installed_and_broken_is_one_line(
    framework: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a library is not there that it needs."""
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"gaugemc.interop.{package}", raising=False)
    monkeypatch.delitem(sys.modules, f"gaugemc.interop.{package}.backends", raising=False)
    problem = rf"^framework={framework}: with backend=none cannot be imported: .*{package}"
    with pytest.raises(SettingsError, match=problem):
        engine_of(composed(f"framework={framework}"))


@pytest.mark.parametrize(
    ("backend", "command"),
    [
        ("deepspeed", "DS_BUILD_OPS=0 pip install --no-build-isolation deepspeed"),
        ("horovod", "python -m gaugemc.interop.build_horovod"),
    ],
)
def test_a_backend_that_is_not_installed_comes_with_the_command(
    backend: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frameworks, "find_spec", lambda package: package == "torch" or None)
    with pytest.raises(SettingsError, match=rf"^backend={backend}: not installed: {command}"):
        refuse_framework("pytorch", backend)


def test_horovodrun_numbers_its_processes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOROVOD_RANK", "1")
    monkeypatch.setenv("HOROVOD_SIZE", "2")
    assert (launcher(), rank(), processes()) == ("horovodrun", 1, 2)


def cluster(index: int = 1, job: str = "worker", **others: Any) -> str:
    """A TF_CONFIG of two workers."""
    workers = {"worker": ["a:1", "b:1"]}
    task = {"type": job, "index": index}
    return json.dumps({"cluster": workers | others, "task": task})


def test_tf_config_numbers_processes_as_tensorflow_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", cluster())
    assert (launcher(), rank(), processes()) == ("TF_CONFIG", 1, 2)
    refuse_launcher("multiworker", ("none", "multiworker"))
    monkeypatch.setenv("TF_CONFIG", cluster(chief=["c:1"]))
    assert (rank(), processes()) == (2, 3)
    monkeypatch.setenv("TF_CONFIG", cluster(0, "chief", chief=["c:1"]))
    assert (rank(), processes()) == (0, 3)


@pytest.mark.parametrize(
    ("numbers", "problem"),
    [
        ({"RANK": "x"}, "RANK=x is no number: start with torchrun"),
        ({"RANK": "0", "WORLD_SIZE": "two"}, "WORLD_SIZE=two is no number"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK=2 is none of WORLD_SIZE=2: the first one is 0"),
    ],
)
def test_a_variable_of_torchrun_that_lies_is_one_line(
    monkeypatch: pytest.MonkeyPatch, numbers: dict[str, str], problem: str
) -> None:
    for name, value in numbers.items():
        monkeypatch.setenv(name, value)
    assert (rank(), processes()) == (0, 1)
    with pytest.raises(SettingsError, match=rf"^backend=ddp: {problem}"):
        refuse_launcher("ddp", ("none", "ddp"))
    refuse_launcher("none", ("none", "ddp"))


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("{", "is not JSON"),
        ('{"cluster": {"worker": ["a:1"]}}', 'no "task"'),
        (cluster(ps=["c:1"]), "the job ps: give workers"),
        (cluster(2), "this is worker 2, and names no such process"),
    ],
)
def test_a_wrong_tf_config_is_one_line(
    monkeypatch: pytest.MonkeyPatch, config: str, problem: str
) -> None:
    monkeypatch.setenv("TF_CONFIG", config)
    assert (rank(), processes()) == (0, 1)
    with pytest.raises(SettingsError, match=rf"^backend=multiworker: TF_CONFIG .*{problem}"):
        refuse_launcher("multiworker", ("none", "multiworker"))


def test_workers_of_tensorflow_need_its_backend(
    installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", cluster())
    refuse_framework("tensorflow", "multiworker")
    with pytest.raises(
        SettingsError, match=r"there are 2 of TF_CONFIG: choose backend=multiworker$"
    ):
        refuse_framework("tensorflow", "none")
    with pytest.raises(SettingsError, match="there are 2 of TF_CONFIG: start without TF_CONFIG"):
        refuse_framework("jax", "none")


def test_zero_is_for_float32() -> None:
    refuse_zero(2, "fp16")
    refuse_zero(0, "fp64")
    with pytest.raises(SettingsError, match=r"^zero=1: .*precision=fp32"):
        refuse_zero(1, "fp64")


@pytest.mark.parametrize(
    ("framework", "advice"),
    [
        ("pytorch", "choose backend=ddp or backend=deepspeed$"),
        ("tensorflow", "start without torchrun"),
        (
            "jax",
            "start without torchrun, and share chains with devices.launcher=slurm, mpi or hand",
        ),
    ],
)
def test_processes_of_torchrun_need_a_backend_that_the_framework_has(
    installed: None, two: None, framework: str, advice: str
) -> None:
    with pytest.raises(SettingsError, match=rf"backend=none: .*there are 2 of torchrun: {advice}"):
        refuse_framework(framework, "none")


def test_a_batch_must_divide_at_every_size(two: None) -> None:
    assert rank() == 1
    refuse_parts([2, 4, 8], "reverse_kl")
    with pytest.raises(SettingsError, match=r"training\.batch=7: .*2 processes"):
        refuse_parts([7], "reverse_kl")
    with pytest.raises(SettingsError, match=r"training\.batch=6, doubled from 3: .*2 processes"):
        refuse_parts([3, 6], "reverse_kl")
    with pytest.raises(SettingsError, match=r"training\.objective=levels: .*choose reverse_kl"):
        refuse_parts([8], "levels")


def test_one_process_shares_nothing() -> None:
    assert rank() == 0
    refuse_parts([7], "levels")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("training.objective=path_gradient", "errors at run time, which the inverse of flow=ncp"),
        ("flow=spline training.objective=forward_kl", "the inverse of flow=spline"),
        ("flow=multiscale training.objective=symmetric_kl", "the inverse of flow=multiscale"),
        ("training.objective=jump", "training.objective=jump needs: choose jax or pytorch"),
        ("theory=su2_2d flow=stout", "determinants of matrices"),
        ("flow=flux training.objective=forward_kl", ""),
        ("flow=pair training.objective=path_gradient", ""),
        ("flow=pair training.objective=symmetric_kl", ""),
        ("flow=ncp", ""),
    ],
)
def test_what_a_graph_of_tensorflow_cannot_hold_is_refused(words: str, said: str) -> None:
    settings = composed("framework=tensorflow", *words.split())
    if not said:
        refuse(settings)
        return
    with pytest.raises(SettingsError, match="framework=tensorflow: has no ") as refused:
        refuse(settings)
    assert said in str(refused.value)
