"""The words of `gaugemc measure`."""

import math
import os
from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path

from gaugemc.choices.theories.gauge import ACTIONS
from gaugemc.conf.conversion import Parser, lattice
from gaugemc.conf.errors import UsageError

DEFAULTS = {"flow_time": 0.0, "step": 0.05, "kernel": "wilson"}
MOST_STEPS = 100_000
LEAST_TOLERANCE = 1e-12
"""As of `gaugemc.theories.GradientFlow`, which is not imported before the words are understood."""


def positive(word: str) -> float:
    """A positive number."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ArgumentTypeError(f"{word!r} must be a positive, finite number")
    return value


def measurement(words: Sequence[str]) -> Namespace:
    """What is to be measured, and where the numbers go; `how` is for `measure_files`.

    Raises:
        UsageError: the words make no sense.
    """
    parser = Parser("measure", add_help=False, allow_abbrev=False)
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    add = parser.add_argument_group().add_argument
    add("--flow-time", type=positive)
    add("--step", type=positive)
    add("--kernel", choices=ACTIONS)
    add("--tolerance", type=positive)
    add("--lattice", type=lattice)
    found = {k: v for k, v in vars(parser.parse_args(words)).items() if v is not None}
    files = found.pop("files")
    nameless = [file for file in files if not file.name]
    if nameless:
        raise UsageError(f"measure: {str(nameless[0])!r} is no file")
    places = [os.path.realpath(file) for file in files]
    twice = [file for file, place in zip(files, places) if places.count(place) > 1]
    if twice:
        raise UsageError(f"measure: {twice[-1]} is given twice")
    out = found.pop("out", None) or files[0].with_name(f"{files[0].name}.json")
    if out.suffix != ".json":
        raise UsageError(f"measure: --out={out}: must end in .json")
    if not (os.path.isdir(out.parent) and os.access(out.parent, os.W_OK)):
        raise UsageError(f"measure: --out={out}: {out.parent} is no directory that can be written")
    for path in (out, out.with_suffix(".svg")):
        if os.path.realpath(path) in places:
            raise UsageError(f"measure: --out={out}: would replace {path}, a file to measure")
        if os.path.lexists(path) and not os.path.isfile(path):
            raise UsageError(f"measure: --out={out}: {path} is there, and no file")
    idle = {"step", "kernel", "tolerance"} & set(found)
    if idle and "flow_time" not in found:
        raise UsageError(f"measure: --{min(idle)} is of the flow: give --flow-time=T as well")
    how = DEFAULTS | found
    if how["flow_time"] / how["step"] > MOST_STEPS:
        raise UsageError(
            f"measure: --flow-time={how['flow_time']:g}: more than {MOST_STEPS} steps"
            f" of {how['step']:g}; take a larger --step"
        )
    if how.get("tolerance", 1.0) < LEAST_TOLERANCE:
        least = f"must be at least {LEAST_TOLERANCE:g}"
        raise UsageError(f"measure: --tolerance={how['tolerance']:g}: {least}")
    return Namespace(files=files, out=out, how=how)
