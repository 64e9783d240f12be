"""Who trains: the frameworks, what each needs, and how each spreads over processes."""

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import NamedTuple

from gaugemc.choices.devices import rank_of
from gaugemc.choices.option import SettingsError, one_of


class Framework(NamedTuple):
    """What a framework needs, and its backends."""

    package: str
    extra: str
    """The extra of gaugemc that installs it."""
    backends: tuple[str, ...]


class Launcher(NamedTuple):
    """What starts processes that train together."""

    rank: str
    """The variable with the number of a process."""
    size: str
    """The variable with the number of processes."""
    command: str


class Backend(NamedTuple):
    """How training spreads over processes."""

    launcher: str
    package: str = ""
    """What it needs beside its framework, and the command that installs that."""
    install: str = ""
    alone: bool = True
    """Whether one process may do without the launcher."""


FRAMEWORKS: Mapping[str, Framework] = {
    "jax": Framework("jax", "", ("none",)),
    "pytorch": Framework("torch", "torch", ("none", "ddp", "deepspeed", "horovod")),
    "tensorflow": Framework("tensorflow", "tensorflow", ("none", "horovod")),
}
LAUNCHERS: Mapping[str, Launcher] = {
    "torchrun": Launcher("RANK", "WORLD_SIZE", "torchrun --nproc_per_node=2 -m gaugemc"),
    "horovodrun": Launcher(
        "HOROVOD_RANK", "HOROVOD_SIZE", "horovodrun -np 2 --gloo python -m gaugemc"
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
}


def launcher() -> str:
    """The name of what started this process; empty where nothing did."""
    return next((name for name, of in LAUNCHERS.items() if of.rank in os.environ), "")


def processes() -> int:
    """How many processes a launcher started together."""
    started = launcher()
    return int(os.environ.get(LAUNCHERS[started].size, 1)) if started else 1


def rank() -> int:
    """The number of this process among them; the first one, 0, is the one that writes."""
    if processes() > 1:
        return int(os.environ[LAUNCHERS[launcher()].rank])
    return rank_of(sys.argv[1:])


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
        problem = f"needs processes: start with {LAUNCHERS[needs.launcher].command} KEY=VALUE ..."
        raise SettingsError("backend", backend, problem)
    if processes() == 1 or needs.launcher == started:
        return
    able = [f"backend={name}" for name in backends if BACKENDS[name].launcher == started]
    if able:
        advice = f"choose {' or '.join(able)}"
    elif needs.launcher:
        advice = f"start with {LAUNCHERS[needs.launcher].command} KEY=VALUE ..."
    else:
        advice = (
            f"start without {started}, and share chains with devices.launcher=slurm, mpi or hand"
        )
    own = f"for processes of {needs.launcher}" if needs.launcher else "for one process"
    problem = f"is {own}, and {started} started {processes()}: {advice}"
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
            problem = f"cannot be shared equally by {number} {sharers}"
            raise SettingsError("training.batch", f"{batches[-1]}{of}", problem)
