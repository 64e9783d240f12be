"""The words of `gaugemc measure`."""

import math
from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path

from gaugemc.conf.conversion import Parser, lattice
from gaugemc.conf.errors import UsageError

DEFAULTS = {"flow_time": 0.0, "step": 0.05, "kernel": "wilson"}


def positive(word: str) -> float:
    """A positive number."""
    value = float(word)
    if not 0 < value < math.inf:
        raise ArgumentTypeError(f"{word} must be positive and finite")
    return value


def measurement(words: Sequence[str]) -> Namespace:
    """What is to be measured, and where the numbers go; `how` is for `measure_files`.

    Raises:
        UsageError: the words make no sense.
    """
    parser = Parser("measure", add_help=False, allow_abbrev=False)
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    how = parser.add_argument_group().add_argument
    how("--flow-time", type=positive)
    how("--step", type=positive)
    how("--kernel", choices=("wilson", "symanzik"))
    how("--tolerance", type=positive)
    how("--lattice", type=lattice)
    found = {k: v for k, v in vars(parser.parse_args(words)).items() if v is not None}
    files = found.pop("files")
    out = found.pop("out", files[0].with_name(f"{files[0].name}.json"))
    if out.suffix != ".json" or out in files:
        raise UsageError(f"measure: --out={out}: must end in .json, and be no file to measure")
    if not out.parent.is_dir():
        raise UsageError(f"measure: --out={out}: there is no directory {out.parent}")
    idle = {"step", "kernel", "tolerance"} & set(found)
    if idle and "flow_time" not in found:
        raise UsageError(f"measure: --{min(idle)} is of the flow: give --flow-time=T as well")
    return Namespace(files=files, out=out, how=DEFAULTS | found)
