"""What a format of gauge configurations is."""

import abc
import inspect
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NamedTuple

import numpy as np

from gaugemc.io.formats.measured import Measured
from gaugemc.spaces import Links


class Contents(NamedTuple):
    """What a file holds, and what it says of itself."""

    links: np.ndarray
    checksum: str
    """Of the file as it was read."""
    stated_checksum: str | None = None
    plaquette: float | None = None
    link_trace: float | None = None
    tolerance: float = 1e-5
    """Of plaquette and link trace: some codes add them up in float32."""


class Format(abc.ABC):
    """A format: its name, its file names, and how links are read and written."""

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]] = ()
    """Ends of the names of files that are written in it; of a format that is only read, none."""

    @abc.abstractmethod
    def recognises(self, start: bytes) -> bool:
        """Whether the first bytes of a file (24 or more) are those of the format."""

    @abc.abstractmethod
    def read(self, file: BinaryIO, lattice: tuple[int, ...] | None) -> Contents:
        """The contents of a file.

        Args:
            file: a regular file, open at its beginning.
            lattice: what the user says of a file that does not say it.

        Raises:
            ValueError: what is wrong with the file.
        """

    def write(self, path: Path, links: np.ndarray, measured: Measured, **options: Any) -> str:
        """Write links to a file of that name, and return the checksum."""
        raise NotImplementedError

    @property
    def options(self) -> tuple[str, ...]:
        """Names of what can be chosen in writing."""
        return tuple(inspect.signature(self.write).parameters)[3:]

    def refuse(self, space: Links, **options: Any) -> None:
        """Raise ValueError for links that the format cannot hold, or options that do not fit."""
        if len(space.lattice) != 4 or len(space.group.link_shape) != 2:
            raise ValueError(f"{self.name} holds 4D SU(N) links, not {space.name}: choose hdf5")
