"""What gaugemc knows of a batch system: the text of its job script, and how to submit it."""

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gaugemc.choices.devices import PORTS

LEAD = 120
"""Seconds before the time limit at which a job ends itself and is queued again."""


@dataclass(frozen=True)
class System:
    """A batch system. In its texts stand values of a job, in braces."""

    word: str
    title: str
    """What it is, for the help."""
    directives: str
    """What the job asks for. A line with a value that is not given is left out, here and below."""
    body: str
    """What the job does."""
    submit: str
    """The command that takes the script."""
    launch: str = ""
    """Starts what follows {tasks} times on each of {nodes} nodes."""
    alone: str = ""
    """The same for one task on one node."""
    bound: str = ""
    """Stands behind `launch` where each GPU of a node has a task: which GPU, which CPUs."""
    joined: str = ""
    """The words by which each task finds the others."""
    cpus: int | None = None
    """CPUs of each process, where nobody says how many a node has; None: the cluster decides."""
    array: str = ""
    """The option of `submit` for the jobs 0 to {last}, where the script does not say it."""
    index: str = ""
    """How the script calls the number of its job in an array."""
    again: tuple[str, str] = ("", "")
    """How the script tells which job is queued again: a job alone, and one of an array."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Options that have another default here."""
    needs: tuple[str, ...] = ()
    """Options without which no job is taken."""

    def takes(self, option: str) -> bool:
        """Whether an option means something here."""
        return any(name.split("_")[0] == option for name in names(self.directives + self.body))

    def script(self, values: Mapping[str, Any]) -> str:
        """The job script; `values` are None where nothing is given."""
        given = {name for name, value in values.items() if value is not None}
        lines = f"#!/bin/bash\n{self.directives}\n{self.body}".splitlines(keepends=True)
        return "".join(line.format_map(values) for line in lines if names(line) <= given)


def port(number: str) -> str:
    """The port that a job's number chooses, as bash computes it."""
    first, count = PORTS
    return f"$(({first} + ({number}) % {count}))"


def names(text: str) -> set[str]:
    """The values that stand in a text."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
