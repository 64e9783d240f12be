"""Hydra's and OmegaConf's errors in one line: the key, the value, the choices."""

import dataclasses
import re
import sys
import time
from types import NoneType, UnionType
from typing import Any, get_args

from hydra.errors import OverrideParseException

from gaugemc.choices.frameworks import rank
from gaugemc.choices.schema import schema
from gaugemc.choices.settings import NAME_RULE

FAILED, BAD_INPUT, INEXACT = 1, 2, 3
"""Exit codes, and those of interruptions: 130 and 143."""

PATIENCE = 30.0
"""Seconds in which the first of several processes says what is wrong."""

WORDS = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
    list[int]: "a list of integers, as [8,8]",
    list[float]: "a list of numbers, as [0.5,1.0]",
    list[str]: "a list of names, as [plaquette,charge]",
}
"""What a value of each type is called."""


def say(problem: str) -> None:
    """A mistake of the user, in one line on stderr.

    Of processes that run together all find the same mistake, and the first one says it. Whoever
    started them then ends the others; where nobody does, the mistake may be of this one alone.
    """
    number = rank()
    if number > 0:
        time.sleep(PATIENCE)
    print(f"gaugemc: {f'process {number}: ' if number else ''}{problem}", file=sys.stderr)


def of_file(error: OSError) -> str:
    """What the system says of a file, after the file's name."""
    named = error.filename is not None and error.strerror
    return f"{error.filename}: {error.strerror}" if named else str(error)


class UsageError(ValueError):
    """The words of the command line make no sense; one line says which."""


def one_line(error: Exception) -> str:
    """What is wrong with the command line, in one line."""
    text = str(error)
    if isinstance(error, OverrideParseException):
        return unreadable(error.override)
    if found := re.search(r"Ambiguous value for argument '(.+)'", text):
        return f"{found.group(1)}: more than one value; add --multirun to run each"
    if found := re.search(r"Could not find '([^']+)/([^']*)'", text):
        group, value = found.groups()
        choices = re.findall(r"^\t(\S+)$", text, re.MULTILINE)
        return f"{group}={value}: choose one of {', '.join(choices)}"
    if found := re.search(r"Could not override '([^']+)'|Key '([^']+)' not in", text):
        key = found.group(1) or getattr(error, "full_key", None) or found.group(2)
        return f"{key}: no such key; {valid_keys(key)}"
    if found := re.search(r"An item is already at '([^']+)'", text):
        return f"+{found.group(1)}: there is such a key: leave out the +"
    if found := re.search(r"Error merging override (.+)", text):
        override = found.group(1).splitlines()[0]
        cause = str(error.__cause__).splitlines()[0] if error.__cause__ else "not a valid value"
        return f"{override}: {wanted(override.lstrip('+').split('=')[0]) or cause}"
    key = getattr(error, "full_key", None)
    line = " ".join(part.strip() for part in text.splitlines() if part.strip())
    if key and "full_key:" in text:  # OmegaConf's own lines about where it was
        line = text.splitlines()[0]
    return f"{key}: {line}" if key and not line.startswith(str(key)) else line


def unreadable(override: str) -> str:
    """What is wrong with an override that Hydra's grammar does not know."""
    key, equals, value = override.lstrip("+").partition("=")
    if not equals:
        return f"{override}: neither KEY=VALUE nor a command; gaugemc --help lists both"
    if not key:
        return f"{override}: has no key: write KEY=VALUE"
    if key == "name":
        return f"{override}: {NAME_RULE}"
    if wanted(key) not in (None, f"must be {WORDS[str]}", f"must be {WORDS[str]} or null"):
        return f"{override}: {wanted(key)}"
    return f"{override}: cannot be read; quote such a value twice, '{key}=\"{value}\"'"


def wanted(key: str) -> str | None:
    """What the value of a key must be; None where there is no such key."""
    settings: Any = schema()
    for part in key.split("."):
        types = {f.name: f.type for f in dataclasses.fields(settings)}
        settings = types.get(part)
        if not dataclasses.is_dataclass(settings):
            break
    kinds = get_args(settings) if isinstance(settings, UnionType) else (settings,)
    or_null = " or null" if NoneType in kinds else ""
    return f"must be {WORDS[kinds[0]]}{or_null}" if kinds[0] in WORDS else None


def below_a_value(key: str) -> bool:
    """Whether a key is a path into a setting that is no group, such as observables.0."""
    root, _, rest = key.partition(".")
    kinds = {f.name: f.type for f in dataclasses.fields(schema())}
    return bool(rest) and root in kinds and not dataclasses.is_dataclass(kinds[root])


def valid_keys(key: str) -> str:
    """The keys beside a key that does not exist."""
    if key.startswith("hydra"):
        return "gaugemc --cfg hydra shows Hydra's keys"
    settings: type = schema()
    path = []
    for part in key.split(".")[:-1]:
        types = {f.name: f.type for f in dataclasses.fields(settings)}
        if not dataclasses.is_dataclass(types.get(part)):
            break
        settings = types[part]  # pyright: ignore[reportAssignmentType]
        path.append(part)
    names = [f.name for f in dataclasses.fields(settings)]
    return f"choose one of {', '.join('.'.join([*path, name]) for name in names)}"
