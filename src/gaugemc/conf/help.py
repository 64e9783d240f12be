"""`gaugemc --help`: the commands, the choices of every group, and every key with its meaning."""

import dataclasses
import math
import shutil
import textwrap
from collections.abc import Iterator
from typing import Any

from gaugemc.choices.settings import Settings
from gaugemc.choices.uses import unused
from gaugemc.conf.groups import CHOICES

USAGE = """usage: gaugemc [KEY=VALUE ...]    train, sample, compare with tuned HMC, report
       gaugemc resume DIR [evaluate.draws=N] [evaluate.hmc_draws=N]
                                  go on with an interrupted run; more draws
       gaugemc report DIR         draw the report of a run again
       gaugemc --help             all keys and choices"""

VERBS = {
    "resume": """usage: gaugemc resume DIR [evaluate.draws=N] [evaluate.hmc_draws=N]

Go on with the interrupted run in the directory DIR (outputs/DATE/TIME-NAME, or
one job of a sweep): training and draws continue after the last checkpoint, and
are those of an uninterrupted run, bit for bit. The settings are read from
DIR/config.yaml. With a larger number of draws, a finished run gets more of
them; the old draws stay as they are. All else is fixed: more training is a new
run that starts with flow.load=DIR or dynamics.load=DIR.""",
    "report": """usage: gaugemc report DIR

Draw DIR/report.html and DIR/figures again from the numbers of a finished run.""",
}
"""The help of each command."""

FLAGS = {
    "--multirun": "run every combination of values with commas: theory.beta=2,3 sampler=hmc,fthmc",
    "--cfg job": "print the settings that a command line stands for, and do nothing",
    "--version": "print the version",
    "--help": "print this; with KEY=VALUE, the defaults are those beside these values",
    "--hydra-help": "flags of Hydra, which reads the command line; -sc install=bash: completion",
}

EXAMPLES = (
    "gaugemc mode=demo",
    "gaugemc theory.lattice=[16,16] theory.beta=5 flow=multiscale seed=3",
    "gaugemc sampler=l2hmc theory=ring --help",
)

INDENT = 30


def help_text(settings: Settings, width: int | None = None) -> str:
    """The whole help, with these settings as the defaults, for a terminal of a width."""
    width = max(60, min(width or shutil.get_terminal_size().columns, 120))
    useless = unused(settings)
    lines = [
        USAGE,
        "       gaugemc VERB --help        more about resume and report",
        "",
        *textwrap.wrap(
            "gaugemc trains Markov chain Monte Carlo samplers for lattice gauge theory, samples,"
            " runs tuned HMC beside them, and writes a report into"
            " outputs/DATE/TIME-NAME/report.html. Every key has a default.",
            width,
        ),
        "",
        "Examples",
        *(f"  {example}" for example in EXAMPLES),
        "",
        "Groups: GROUP=CHOICE sets many keys at once",
    ]
    for group, choices in CHOICES.items():
        if len(choices) > 1:
            lines += entry(group, ", ".join(choices), width)
    lines += ["", "Flags"]
    for flag, doc in FLAGS.items():
        lines += entry(flag, doc, width)
    lines += [
        "",
        "Keys: KEY=VALUE, here with the defaults",
        f"- marks a key that sampler={settings.sampler.name} with these values does not use",
    ]
    for title, keys in sections(settings):
        lines += ["", title]
        for key, value, doc in keys:
            lines += entry(f"{key}={shown(value)}", doc, width, "-" if key in useless else " ")
    lines += ["", "Exit codes: 0 success, 1 failure, 2 a mistake in the command line, 3 a check"]
    lines += ["failed with strict=true, 130 and 143 interrupted."]
    return "\n".join(lines)


def entry(name: str, doc: str, width: int, mark: str = " ") -> Iterator[str]:
    """A name and what it means, beside or below."""
    paragraph = textwrap.wrap(doc, width - INDENT, break_on_hyphens=False)
    head = f"{mark} {name}"
    if len(head) < INDENT:
        yield f"{head:{INDENT}}{paragraph.pop(0)}"
    else:
        yield head
    yield from (" " * INDENT + line for line in paragraph)


def sections(settings: Settings) -> Iterator[tuple[str, list[tuple[str, Any, str]]]]:
    """The run's own keys, then those of each group: title, and key, value and documentation."""
    own = []
    groups = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if not dataclasses.is_dataclass(value):
            own.append((field.name, value, field.metadata["doc"]))
            continue
        title = f"{field.name}: {(type(value).__doc__ or '').strip()}"
        keys = [
            (f"{field.name}.{f.name}", getattr(value, f.name), f.metadata["doc"])
            for f in dataclasses.fields(value)
        ]
        groups.append((title, keys))
    yield "The run", own
    yield from groups


def shown(value: Any) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"[{','.join(shown(v) for v in value)}]"
    if isinstance(value, float):
        return "inf" if value == math.inf else f"{value:g}"
    return f'"{value}"' if " " in str(value) else str(value)
