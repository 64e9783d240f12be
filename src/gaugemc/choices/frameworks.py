"""Who trains: the frameworks, what each needs, and how each spreads over processes."""

import os
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import NamedTuple

from gaugemc.choices.devices import rank_of
from gaugemc.choices.option import SettingsError, one_of
from gaugemc.choices.tf_config import config, place_in


class Framework(NamedTuple):
    """What a framework needs, and its backends."""

    package: str
    extra: str
    """The extra of gaugemc that installs it."""
    backends: tuple[str, ...]


class Launcher(NamedTuple):
    """What starts processes that train together."""

    variable: str
    """Of the environment; is there in each process."""
    place: Callable[[Mapping[str, str]], tuple[int, int]]
    """The number of a process, and how many there are, by the environment; else a ValueError."""
    first: Callable[[int], Mapping[str, str]]
    """The environment of the first of so many processes."""
    command: str


class Backend(NamedTuple):
    """How training spreads over processes."""

    launcher: str
    package: str = ""
    """What it needs beside its framework, and the command that installs that."""
    install: str = ""
    alone: bool = True
    """Whether one process may do without the launcher."""
    meets: bool = False
    """Whether `devices.*` can stand for the launcher: see `gaugemc.run.meeting`."""


FRAMEWORKS: Mapping[str, Framework] = {
    "jax": Framework("jax", "", ("none",)),
    "pytorch": Framework("torch", "torch", ("none", "ddp", "deepspeed", "horovod")),
    "tensorflow": Framework("tensorflow", "tensorflow", ("none", "horovod", "multiworker")),
}


def _numbered(rank: str, size: str, command: str) -> Launcher:
    """A launcher that tells the place of a process in two variables."""

    def place(environment: Mapping[str, str]) -> tuple[int, int]:
        found = {name: environment.get(name, "1" if name == size else "") for name in (rank, size)}
        for name, value in found.items():
            if not value.isdecimal():
                raise ValueError(f"{name}={value} is no number: start with {command} ...")
        number, processes = map(int, found.values())
        if number >= processes > 1:
            raise ValueError(f"{rank}={number} is none of {size}={processes}: the first one is 0")
        return number if processes > 1 else 0, processes

    return Launcher(rank, place, lambda processes: {rank: "0", size: str(processes)}, command)


LAUNCHERS: Mapping[str, Launcher] = {
    "torchrun": _numbered("RANK", "WORLD_SIZE", "torchrun --nproc_per_node=2 -m gaugemc"),
    "horovodrun": _numbered(
        "HOROVOD_RANK", "HOROVOD_SIZE", "horovodrun -np 2 --gloo python -m gaugemc"
    ),
    "TF_CONFIG": Launcher(
        "TF_CONFIG",
        lambda environment: place_in(environment["TF_CONFIG"]),
        lambda processes: {"TF_CONFIG": config(["HOST:PORT"] * processes, 0)},
        f"TF_CONFIG='{config(['HOST:PORT'] * 2, 0)}' python -m gaugemc",
    ),
}
BACKENDS: Mapping[str, Backend] = {
    "none": Backend(""),
    "ddp": Backend("torchrun", alone=False),
    "deepspeed": Backend(
        "torchrun",
        "deepspeed",
        "DS_BUILD_OPS=0 pip install --no-build-isolation deepspeed==0.19.8",
    ),
    "horovod": Backend("horovodrun", "horovod", "python -m gaugemc.interop.build_horovod"),
    "multiworker": Backend("TF_CONFIG", meets=True),
}


def launcher() -> str:
    """The name of what started this process; empty where nothing did."""
    return next((name for name, of in LAUNCHERS.items() if of.variable in os.environ), "")


def processes() -> int:
    """How many processes a launcher started together."""
    return _place()[1]


def rank() -> int:
    """The number of this process among them; the first one, 0, is the one that writes."""
    number, processes = _place()
    return number if processes > 1 else rank_of(sys.argv[1:])


def _place() -> tuple[int, int]:
    """The number of this process among those of a launcher, and how many there are.

    In doubt it is alone: see `refuse_launcher`.
    """
    started = launcher()
    try:
        return LAUNCHERS[started].place(os.environ) if started else (0, 1)
    except ValueError:
        return 0, 1


def refuse_framework(framework: str, backend: str) -> None:
    """Raise SettingsError unless the two go together, are installed, and are started rightly."""
    one_of(*FRAMEWORKS)("framework", framework)
    package, extra, backends = FRAMEWORKS[framework]
    if backend not in backends:
        pairs = [f"framework={f} backend={b}" for f, of in FRAMEWORKS.items() for b in of.backends]
        problem = f"does not go with framework={framework}: choose one of {', '.join(pairs)}"
        raise SettingsError("backend", backend, problem)
    if find_spec(package) is None:
        problem = f'not installed: pip install "gaugemc[{extra}]"'
        raise SettingsError("framework", framework, problem)
    needs = BACKENDS[backend]
    if needs.package and find_spec(needs.package) is None:
        raise SettingsError("backend", backend, f"not installed: {needs.install}")
    refuse_launcher(backend, backends)


def refuse_launcher(backend: str, backends: tuple[str, ...]) -> None:
    """Raise SettingsError unless the backend, of these, goes with what started the processes."""
    needs, started = BACKENDS[backend], launcher()
    if not started and not needs.alone:
        problem = (
            f"needs processes: start with {LAUNCHERS[needs.launcher].command} and the same words"
        )
        raise SettingsError("backend", backend, problem)
    if started and needs.launcher == started:
        try:
            LAUNCHERS[started].place(os.environ)
        except ValueError as error:
            raise SettingsError("backend", backend, str(error)) from error
    if processes() == 1 or needs.launcher == started:
        return
    able = [f"backend={name}" for name in backends if BACKENDS[name].launcher == started]
    if able:
        advice = f"choose {' or '.join(able)}"
    elif needs.launcher:
        advice = f"start with {LAUNCHERS[needs.launcher].command} and the same words"
    else:
        advice = (
            f"start without {started}, and share chains with devices.launcher=slurm, mpi or hand"
        )
    own = f"for processes of {needs.launcher}" if needs.launcher else "for one process"
    problem = f"is {own}, and there are {processes()} of {started}: {advice}"
    raise SettingsError("backend", backend, problem)


def refuse_zero(zero: int, precision: str) -> None:
    """Raise SettingsError unless ZeRO can hold the optimiser in this precision."""
    if zero and precision == "fp64":
        raise SettingsError("zero", zero, "ZeRO trains in float32: choose 0, or precision=fp32")


def refuse_parts(batches: list[int], objective: str) -> None:
    """Raise SettingsError unless the processes can share these batches of an objective equally."""
    if processes() == 1:
        return
    if objective == "levels":
        problem = f"cannot be shared by {processes()} processes: choose reverse_kl"
        raise SettingsError("training.objective", objective, problem)
    refuse_batches(batches, processes(), "processes")


def refuse_batches(batches: list[int], number: int, sharers: str) -> None:
    """Raise SettingsError unless so many processes or devices can share batches equally."""
    for batch in batches:
        if batch % number:
            of = "" if batch == batches[-1] else f", doubled from {batch}"
            problem = f"{number} {sharers} cannot share it equally: choose a multiple of {number}"
            raise SettingsError("training.batch", f"{batches[-1]}{of}", problem)
