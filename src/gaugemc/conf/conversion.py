"""The words of `gaugemc convert`."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from gaugemc.conf.errors import UsageError


class Parser(ArgumentParser):
    """Reports a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}; gaugemc {self.prog} --help lists what there is")


def lattice(word: str) -> tuple[int, ...]:
    """Extents in x, y, z, t, with commas between them."""
    return tuple(int(extent) for extent in word.strip("[]").split(","))


def conversion(words: Sequence[str]) -> Namespace:
    """What is to be converted; only what was given of `lattice` and of how a file is written.

    Raises:
        UsageError: the words make no sense.
    """
    parser = Parser("convert", add_help=False, allow_abbrev=False)
    parser.add_argument("input", metavar="IN", type=Path)
    parser.add_argument("output", metavar="OUT", type=Path)
    parser.add_argument("--lattice", type=lattice)
    how = parser.add_argument_group().add_argument
    how("--format")
    how("--precision")
    how("--two-rows", action="store_true", default=None)
    how("--little-endian", action="store_true", default=None)
    how("--lfn")
    found = vars(parser.parse_args(words))
    given = {name: found.pop(name) for name in ("input", "output", "lattice")}
    return Namespace(**given, how={k: v for k, v in found.items() if v is not None})
