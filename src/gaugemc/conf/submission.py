"""The words of `gaugemc submit`."""

import os
import re
from argparse import ArgumentTypeError
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.choices.sweep import jobs, parsed
from gaugemc.choices.systems import LEAD, SYSTEMS, System
from gaugemc.conf.conversion import Parser
from gaugemc.conf.errors import UsageError
from gaugemc.conf.study import swept

SHORTEST = 5 * 60
"""Seconds of a job; less would hardly be more than starting and ending."""
UNITS = {"m": 60, "h": 3600, "d": 86400}
DEFAULTS: Mapping[str, Any] = {"nodes": 1, "time": 3600}
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

    def workers(self, settings: Settings) -> int | None:
        """How many processes torchrun starts on each node; None where a run is one process.

        Raises:
            SettingsError: several processes are asked for, which these settings do not use.
        """
        if settings.backend != "none":
            return self.options["processes"] or self.options["gpus"] or 1
        for option in ("nodes", "processes"):
            number = self.options[option] or 1
            if number > 1:
                problem = (
                    f"a run with backend=none is one process: leave --{option} out, or train"
                    " with framework=pytorch backend=ddp"
                )
                raise SettingsError(f"--{option}", number, problem)
        return None


@contextmanager
def among(processes: int | None) -> Iterator[None]:
    """Inside, settings are judged as by the first of processes that torchrun started."""
    if processes is None:
        yield
        return
    os.environ |= {"RANK": "0", "WORLD_SIZE": str(processes)}
    try:
        yield
    finally:
        del os.environ["RANK"], os.environ["WORLD_SIZE"]


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
            raise UsageError(f"submit: --{option}={value}: means nothing to --system={word}")
    options = {**DEFAULTS, **system.defaults, **{k: v for k, v in found.items() if v is not None}}
    for option in system.needs:
        if option not in options:
            raise UsageError(f"submit: --system={word} needs --{option}=NAME")
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
    if total < SHORTEST:
        raise ArgumentTypeError(
            f"{word!r} is too short: at least {SHORTEST // 60}m, of which the last {LEAD} seconds"
            " are for ending"
        )
    return total


def clock(total: int) -> str:
    """Seconds as a batch system reads them: hours, minutes, seconds."""
    return f"{total // 3600:02d}:{total // 60 % 60:02d}:{total % 60:02d}"
