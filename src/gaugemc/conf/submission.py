"""The words of `gaugemc submit`."""

import re
from argparse import ArgumentTypeError
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gaugemc.choices.sweep import jobs, parsed
from gaugemc.choices.systems import LEAD, SYSTEMS, System
from gaugemc.conf.conversion import Parser
from gaugemc.conf.errors import UsageError
from gaugemc.conf.study import swept

SHORTEST = 5 * 60
"""Seconds of a job; less would hardly be more than starting and ending."""
LONGEST = 366 * 24 * 3600
UNITS = {"m": 60, "h": 3600, "d": 86400}
DEFAULTS: Mapping[str, Any] = {"nodes": 1, "time": 3600}
STARTED = tuple(f"devices.{key}" for key in ("launcher", "processes", "process", "coordinator"))
"""What tells a process who it is."""
PLACES = ("hydra.run.dir", "hydra.sweep.dir")
"""The settings of Hydra that mean something in a batch job: where a run and a sweep go."""


@dataclass(frozen=True)
class Submission:
    """What is to be submitted: how, and the command line of each job."""

    system: System
    options: Mapping[str, Any]
    """What the job asks for; None where nothing is given."""
    run: bool
    """Whether it is submitted, or only written."""
    overrides: Sequence[str]
    """Without those of Hydra."""
    place: Sequence[str]
    """The setting of the directory, if it is given."""
    params: Mapping[str, str]
    """What a study sweeps over."""
    sweep: bool

    @property
    def jobs(self) -> list[list[str]]:
        """The command line of each job."""
        params = [f"{key}={value}" for key, value in self.params.items()]
        return jobs([*params, *self.overrides]) if self.sweep else [list(self.overrides)]

    @property
    def devices(self) -> list[str]:
        """The words about devices, which a run does not keep: it is told them at each start."""
        return [word for word in self.overrides if word.startswith("devices.")]


def submission(words: Sequence[str]) -> Submission:
    """What is to be submitted.

    Raises:
        UsageError, HydraException: the words make no sense.
    """
    parser = Parser("submit", add_help=False, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--system", required=True)
    parser.add_argument("--run", action="store_true")
    parser.add_argument("--multirun", "-m", action="store_true")
    add = parser.add_argument_group().add_argument
    for flag in ("--nodes", "--gpus", "--cpus", "--processes"):
        add(flag, type=count)
    add("--time", type=seconds)
    add("--queue", "--partition", type=name)
    add("--account", type=name)
    found = vars(parser.parse_intermixed_args(words))
    word, overrides = found.pop("system"), found.pop("overrides")
    if word not in SYSTEMS:
        raise UsageError(f"submit: --system={word}: choose one of {', '.join(SYSTEMS)}")
    system, run, sweep = SYSTEMS[word], found.pop("run"), found.pop("multirun")
    for option, value in found.items():
        if value is not None and option != "processes" and not system.takes(option):
            text = clock(value) if option == "time" else value
            raise UsageError(f"submit: --{option}={text}: means nothing to --system={word}")
    options = {**DEFAULTS, **system.defaults, **{k: v for k, v in found.items() if v is not None}}
    for option in system.needs:
        if option not in options:
            raise UsageError(f"submit: --system={word} needs --{option}=NAME")
    refuse_started(overrides)
    params = swept(overrides)
    place = placed(overrides, sweep or bool(params))
    return Submission(
        system,
        {**dict.fromkeys(found), **options},
        run,
        [word for word in overrides if word not in place],
        place,
        params,
        sweep or bool(params),
    )


def placed(overrides: Sequence[str], sweep: bool) -> list[str]:
    """The setting of the directory; no other of Hydra reaches a batch job."""
    found = []
    for override in parsed(overrides):
        key = override.get_key_element().lstrip("+")
        if key == PLACES[sweep]:
            found.append(override.input_line or "")
        elif re.match(r"hydra\b", key):
            raise UsageError(
                f"submit: {override.input_line}: of Hydra's settings only {PLACES[sweep]} is heard"
                f" {'in a sweep' if sweep else 'without --multirun'}"
            )
    return found


def refuse_started(overrides: Sequence[str]) -> None:
    """Raise UsageError for words about devices that cannot be those of a batch job."""
    for override in parsed(overrides):
        key, word = override.get_key_element(), override.input_line
        if key in STARTED:
            advice = "choose --nodes and --processes"
            raise UsageError(f"submit: {word}: the script tells each process: {advice}")
        if key.startswith("devices.") and override.is_sweep_override():
            raise UsageError(f"submit: {word}: an array has the same for all jobs: give one value")


def count(word: str) -> int:
    """A number of things."""
    if not re.fullmatch(r"[1-9]\d{0,5}", word, re.ASCII):
        raise ArgumentTypeError(f"{word!r} must be a whole number, 1 or larger")
    return int(word)


def name(word: str) -> str:
    """A name that a batch system can have given."""
    if not re.fullmatch(r"[\w.@+-]+", word, re.ASCII):
        raise ArgumentTypeError(f"{word!r} must be of letters, digits and - _ . @ + alone")
    return word


def seconds(word: str) -> int:
    """A time in seconds."""
    if found := re.fullmatch(r"(?:(\d+)-)?(\d+):([0-5]\d):([0-5]\d)", word, re.ASCII):
        days, *parts = (int(part or 0) for part in found.groups())
        total = days * UNITS["d"] + sum(n * unit for n, unit in zip(parts, (3600, 60, 1)))
    elif found := re.fullmatch(r"(\d+)([mhd])", word, re.ASCII):
        total = int(found[1]) * UNITS[found[2]]
    else:
        raise ArgumentTypeError(f"{word!r} is no time: write 12:00:00, 1-12:00:00, 90m, 12h or 2d")
    if total > LONGEST:
        raise ArgumentTypeError(f"{word!r} is longer than a year")
    if total < SHORTEST:
        raise ArgumentTypeError(
            f"{word!r} is too short: at least {SHORTEST // 60}m, of which the last {LEAD} seconds"
            " are for ending"
        )
    return total


def clock(total: int) -> str:
    """Seconds as a batch system reads them: hours, minutes, seconds."""
    return f"{total // 3600:02d}:{total // 60 % 60:02d}:{total % 60:02d}"
