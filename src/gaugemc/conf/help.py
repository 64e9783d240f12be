"""`gaugemc --help`: the commands, the choices of every group, and every key with its meaning."""

import dataclasses
import math
import shutil
import textwrap
from collections.abc import Iterator
from typing import Any

from gaugemc.choices.menu import menu, metadata
from gaugemc.choices.schema import keys_of
from gaugemc.choices.settings import FLOW_KERNEL, FLOW_STEP, Settings
from gaugemc.choices.systems import SYSTEMS
from gaugemc.choices.uses import unused
from gaugemc.conf.groups import MEANINGS, words


def beside(flag: str, doc: str) -> str:
    """A flag of a command and what it means, in 80 columns."""
    return textwrap.fill(doc, 80, initial_indent=f"{flag:14}", subsequent_indent=" " * 14)


USAGE = """usage: gaugemc [KEY=VALUE ...]    train, sample, compare with tuned HMC, report
       gaugemc resume DIR [evaluate.draws=N] [evaluate.hmc_draws=N]
                                  go on with an interrupted run; more draws
       gaugemc report DIR         draw the report of a run again
       gaugemc convert IN OUT     write a gauge configuration in another format
       gaugemc measure FILE [FILE...] [--flow-time=T]
                                  observables and gradient flow of files
       gaugemc submit --system=NAME [KEY=VALUE ...]
                                  a job script for a batch system
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
    "convert": """usage: gaugemc convert IN OUT [--format=nersc|ildg|hdf5]
                               [--precision=fp32|fp64] [--lattice=X,Y,Z,T]
                               [--two-rows] [--little-endian] [--lfn=NAME]

Read the gauge configuration in the file IN, verify what the file says of it,
and write it to OUT. The format of IN is recognised: NERSC, ILDG and SciDAC,
gaugemc's HDF5, MILC version 5 or openQCD. The format of OUT follows from its
suffix, unless --format says it: .nersc; .ildg, .lime or .scidac; .h5 or .hdf5.
--precision   of OUT; that of IN, if it is not given
--lattice     of IN, for a LIME file that does not say it
--two-rows, --little-endian   for nersc
--lfn         for ildg: the logical file name""",
    "measure": f"""usage: gaugemc measure FILE [FILE...] [--flow-time=T] [--step=0.05]
                       [--kernel=wilson] [--tolerance=D]
                       [--lattice=X,Y,Z,T] [--out=FILE.json]

Measure gauge configurations of one ensemble, in any format that convert reads:
plaquettes, link trace, rectangle, Polyakov loops, clover energy and charge.
With --flow-time also E(t), t^2 E(t), Q(t), t0 and w0 of the gradient flow.
Prints tables, and saves all numbers in FILE.json beside the first file, and a
picture of the flow in FILE.svg. Files are taken to be independent.
--flow-time   where the flow ends, in units of the lattice spacing squared
{beside("--step", FLOW_STEP)}
{beside("--kernel", FLOW_KERNEL)}
--tolerance   adapted steps, each with this error; fixed ones without it
--lattice     for a LIME file that does not say it""",
    "submit": f"""usage: gaugemc submit --system=NAME [--run] [--nodes=N] [--time=T]
                      [--queue=NAME] [--account=NAME] [--cpus=N] [--gpus=N]
                      [--processes=N] [--multirun] [KEY=VALUE ...]

Make the directory of the run, and in it job.sh, the script of a batch job. The
job begins the run, ends before the time limit, queues itself again and goes on,
until the run is finished. With --multirun the jobs are an array, one for each
combination of values. The settings are checked before anything is written.
--system      {", ".join(SYSTEMS)}
--run         submit the script as well
--nodes       nodes of the job; 1
--time        the time limit: 12:00:00, 90m, 12h or 2d; 1h
--queue       queue, partition or quality of service; also --partition
--account     who pays
--cpus        CPUs of each node
--gpus        GPUs of each node
--processes   on each node: they share the chains, or with backend=ddp train;
              one for each GPU""",
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
        "       gaugemc VERB --help        more about one of these",
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
    for group, choices in words().items():
        if len(choices) > 1:
            meaning = f": {MEANINGS[group]}" if group in MEANINGS else ""
            lines += entry(group, ", ".join(choices) + meaning, width)
    lines += ["", "Flags"]
    for flag, doc in FLAGS.items():
        lines += entry(flag, doc, width)
    lines += [
        "",
        "Keys: KEY=VALUE, here with the defaults",
        f"- marks a key that sampler={settings.sampler.name} with these values does not use",
    ]
    for title, group, keys in sections(settings):
        lines += ["", title]
        for word, choice in menu().get(group, {}).items():
            lines += entry(f"{group}={word}", (choice.__doc__ or "").splitlines()[0], width)
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


def sections(settings: Settings) -> Iterator[tuple[str, str, list[tuple[str, Any, str]]]]:
    """The run's own keys, then those of each group: title, group, and keys with value and doc."""
    fields = [(f, getattr(settings, f.name)) for f in dataclasses.fields(settings)]
    own = [(f.name, v, f.metadata["doc"]) for f, v in fields if not dataclasses.is_dataclass(v)]
    yield "The run", "", own
    for f, value in fields:
        if dataclasses.is_dataclass(value):
            doc = (keys_of(f.name) if f.name in menu() else type(value)).__doc__
            yield f"{f.name}: {doc}", f.name, list(members(f.name, value))


def members(group: str, chosen: Any) -> Iterator[tuple[str, Any, str]]:
    """The keys of a group, those of other choices too: key, value and documentation."""
    for f in dataclasses.fields(keys_of(group) if group in menu() else chosen):
        own = metadata(type(chosen), f.name) if group in menu() else {}
        if f.name != getattr(chosen, "named_by", None):
            value = getattr(chosen, f.name, f.default)
            yield f"{group}.{f.name}", value, (own or f.metadata)["doc"]


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
