"""The processes of a batch job: how many there are, and the command that starts them."""

import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gaugemc.choices.frameworks import BACKENDS, LAUNCHERS
from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.choices.systems import System
from gaugemc.run.processes import refuse_devices

PORT = 29500
"""Where torchrun on several nodes finds the first node."""
RESUME = '-m gaugemc resume "$run"'


@dataclass(frozen=True)
class Layout:
    """The processes of a job."""

    nodes: int
    processes: int
    """On each node."""
    launcher: str
    """By which they train together; empty where they share chains."""
    cpus: int | None
    """Of each node; None where the cluster decides."""
    gpus: int | None
    """Of each node; None where nobody asks for any."""

    @property
    def torchrun(self) -> bool:
        """Whether torchrun starts those of a node; else the system does."""
        return self.launcher == "torchrun"

    @property
    def total(self) -> int:
        """All processes of the job."""
        return self.nodes * self.processes

    @property
    def tasks(self) -> int:
        """What the system starts on each node."""
        return 1 if self.torchrun else self.processes

    @property
    def numbers(self) -> Mapping[str, Any]:
        """What stands in the texts of a system; None leaves out the line."""
        return {
            "total": self.total,
            "tasks": self.tasks,
            "all_tasks": self.nodes * self.tasks,
            "others": " ".join(map(str, range(1, self.tasks))) or None,
            "cpus": self.cpus,
            "cpus_each": self.cpus and self.cpus // self.tasks,
        }

    def command(self, system: System, devices: Sequence[str]) -> str:
        """What starts all processes, each of which begins or resumes the run."""
        launch = system.launch if self.nodes * self.tasks > 1 else system.alone
        shared = self.total > 1 and not self.torchrun
        bound = system.bound if shared and self.tasks > 1 else ""
        return f"{launch}{bound}".format_map(self.numbers) + self._of_one(system, devices, shared)

    def _of_one(self, system: System, devices: Sequence[str], shared: bool) -> str:
        """What the system starts."""
        python, words = shlex.quote(sys.executable), shlex.join(devices)
        if self.torchrun:
            meeting = (
                f"--nnodes={self.nodes} --rdzv_backend=c10d --rdzv_endpoint=$(hostname):{PORT}"
                if self.nodes > 1
                else "--standalone"
            )
            python += f" -m torch.distributed.run {meeting} --nproc_per_node={self.processes}"
        joined = system.joined.format_map(self.numbers) if shared else ""
        return " ".join(part for part in (python, RESUME, joined, words) if part)


def layout_of(options: Mapping[str, Any], system: System, settings: Settings) -> Layout:
    """The processes that are asked for: one for each GPU, where nobody says how many."""
    processes = options["processes"] or options["gpus"] or 1
    cpus = options["cpus"] or (system.cpus and system.cpus * processes)
    launcher = BACKENDS[settings.backend].launcher
    if launcher == "horovodrun" and options["nodes"] * processes > 1:
        problem = (
            "needs horovodrun, which no job script has: choose ddp or deepspeed of pytorch, or"
            " multiworker of tensorflow"
        )
        raise SettingsError("backend", settings.backend, problem)
    return Layout(options["nodes"], processes, launcher, cpus, options["gpus"])


def refuse_parts(layout: Layout, settings: Settings) -> None:
    """Raise SettingsError unless the processes can share nodes, and a run, equally."""
    nodes, processes, cpus, gpus = layout.nodes, layout.processes, layout.cpus, layout.gpus
    if cpus and cpus % layout.tasks:
        problem = f"{layout.tasks} processes of a node cannot share them equally"
        raise SettingsError("--cpus", cpus, f"{problem}: choose a multiple of {layout.tasks}")
    if layout.torchrun or layout.total == 1:
        return
    if gpus and processes != gpus:
        advice = f"choose --processes={gpus}{'' if nodes > 1 else ', or 1, which takes all GPUs'}"
        problem = f"with --gpus={gpus} each GPU has a process: {advice}"
        raise SettingsError("--processes", processes, problem)
    if not layout.launcher:
        refuse_devices(settings, layout.total * (settings.devices.count or 1))


@contextmanager
def among(layout: Layout) -> Iterator[None]:
    """Inside, settings are judged as by the first of processes that train together."""
    first = LAUNCHERS[layout.launcher].first(layout.total) if layout.launcher else {}
    os.environ |= first
    try:
        yield
    finally:
        for name in first:
            del os.environ[name]
