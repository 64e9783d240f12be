"""Devices and processes that share a run: how they were started."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gaugemc.choices.option import SettingsError, at_least, must, one_of, option

_SLURM = "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"
_OPEN_MPI = "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"
_PMI = "PMI_RANK", "PMI_SIZE"
_ON_HOST = "OMPI_COMM_WORLD_LOCAL_RANK", "PALS_LOCAL_RANKID", "MPI_LOCALRANKID"
_KNOWN = one_of("none", "slurm", "mpi", "hand")
PORTS = 61440, 4096
"""The first port that is taken for a job, and how many there are: the job's number chooses."""


@dataclass
class DevicesSettings:
    """What shares chains and lattices; no number of a run depends on it."""

    count: int | None = option(
        None,
        "devices of each process; by default one CPU, or of other devices as many as can share",
        must(lambda count: count is None or count >= 1, "must be at least 1"),
    )
    parts: int = option(
        1,
        "parts that each lattice is cut into, along direction 0, each on a device of its own",
        at_least(1),
    )
    launcher: str = option(
        "none",
        "what started the processes: none, for one process; slurm (srun), mpi (mpiexec) or hand",
        _KNOWN,
    )
    processes: int = option(1, "how many processes there are; for launcher=hand")
    process: int = option(0, "number of this process, from 0; for launcher=hand", at_least(0))
    coordinator: str | None = option(
        None, "HOST:PORT of process 0, where all processes meet; slurm needs none"
    )
    patience: int = option(300, "seconds in which all processes must have come", at_least(1))


class Place(NamedTuple):
    """A process among those that share a run."""

    process: int = 0
    processes: int = 1
    coordinator: str = ""
    """HOST:PORT of process 0."""
    on_host: int | None = None
    """Number of the process on its machine, where known."""
    patience: int = 300
    """Seconds in which all must have come."""


def place_of(devices: DevicesSettings, environment: Mapping[str, str] = os.environ) -> Place:
    """Where this process stands.

    Raises:
        SettingsError: the launcher's variables are not there, or cannot be true.
    """
    _KNOWN("devices.launcher", devices.launcher)
    match devices.launcher:
        case "slurm":
            place = _slurm(devices, environment)
        case "mpi":
            place = _mpi(devices, environment)
        case "hand":
            place = Place(devices.process, devices.processes, devices.coordinator or "")
        case _:
            return Place()
    if place.process >= place.processes:
        problem = f"this is process {place.process} of {place.processes}, and the first one is 0"
        raise SettingsError("devices.launcher", devices.launcher, problem)
    if place.processes > 1 and not re.fullmatch(r".+:\d{1,5}", place.coordinator):
        problem = "needs HOST:PORT of process 0, such as node1:61440"
        raise SettingsError("devices.coordinator", devices.coordinator, problem)
    return place._replace(patience=devices.patience)


def own_device(place: Place) -> int | None:
    """Which of the devices that a process sees is its own; None for all of them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return place.on_host if "," in visible or not visible else None


def rank_of(words: Iterable[str], environment: Mapping[str, str] = os.environ) -> int:
    """The number of this process, as a command line tells before it is read.

    In doubt it is 0, the one that says what is wrong.
    """
    given = {key: value for key, _, value in (word.partition("=") for word in words)}
    there, names = {
        "hand": (given, ("devices.process", "devices.processes")),
        "slurm": (environment, _SLURM),
        "mpi": (environment, _of_mpi(environment)),
    }.get(given.get("devices.launcher", ""), ({}, ("", "")))
    number, processes = (there.get(name, "") for name in names)
    known = number.isdecimal() and processes.isdecimal() and int(number) < int(processes)
    return int(number) if known else 0


def _of_mpi(environment: Mapping[str, str]) -> tuple[str, str]:
    """The variables of the number of a process, and of how many there are."""
    return _OPEN_MPI if _OPEN_MPI[1] in environment else _PMI


def _number(launcher: str, name: str, environment: Mapping[str, str]) -> int:
    """What a variable of a launcher says."""
    value, starter = environment.get(name), {"slurm": "srun", "mpi": "mpiexec"}[launcher]
    if value is None:
        problem = f"{name} is not set: start with {starter} gaugemc devices.launcher={launcher} ..."
        raise SettingsError("devices.launcher", launcher, problem)
    if not value.isdecimal():
        problem = f"{name}={value} is no number: start with {starter}, and leave its variables"
        raise SettingsError("devices.launcher", launcher, problem)
    return int(value)


def _slurm(devices: DevicesSettings, environment: Mapping[str, str]) -> Place:
    """As srun says."""
    process, processes, job = (
        _number("slurm", name, environment) for name in (*_SLURM, "SLURM_JOB_ID")
    )
    nodes = environment.get("SLURM_STEP_NODELIST", "")
    first, port = PORTS
    coordinator = devices.coordinator or f"{first_host(nodes)}:{first + job % port}"
    return Place(process, processes, coordinator, _number("slurm", "SLURM_LOCALID", environment))


def first_host(nodes: str) -> str:
    """The first of SLURM's list of nodes: n003 of n[003-007,9],m1."""
    found = re.match(r"([^,\[]+)(?:\[(\w+))?", nodes)
    if found is None:
        problem = f"SLURM_STEP_NODELIST={nodes} names no node: start with srun"
        raise SettingsError("devices.launcher", "slurm", problem)
    return found[1] + (found[2] or "")


def _mpi(devices: DevicesSettings, environment: Mapping[str, str]) -> Place:
    """As Open MPI says, or MPICH and PALS of Polaris and Aurora."""
    rank, size = _of_mpi(environment)
    local = next((environment[name] for name in _ON_HOST if name in environment), "")
    return Place(
        _number("mpi", rank, environment),
        _number("mpi", size, environment),
        devices.coordinator or "",
        int(local) if local.isdecimal() else None,
    )
