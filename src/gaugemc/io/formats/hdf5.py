"""The house's own format: the links of any group and dimension in one dataset of an HDF5 file."""

import os
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from gaugemc.io.formats.format import Contents, Format
from gaugemc.io.formats.measured import Measured
from gaugemc.io.hdf5 import DIGEST, opened, written
from gaugemc.spaces import Links

MAGIC = b"gaugemc configuration 1\n"


def array_in(file: h5py.File, size: int) -> np.ndarray:
    """The links of a file of so many bytes; the checksum covers no data that lie elsewhere."""
    if not isinstance(file.get("links", getlink=True), h5py.HardLink):
        raise ValueError("has no links of its own")
    links = file["links"]
    if not isinstance(links, h5py.Dataset) or links.shape is None or links.dtype.kind not in "fc":
        raise ValueError("links are no array of real or complex numbers")
    if links.external or links.is_virtual or links.nbytes > size:
        raise ValueError(f"links of {links.nbytes} bytes are not all in the file, of {size} bytes")
    return np.asarray(links)


class Hdf5(Format):
    """Dataset `links` of the house's shape and type, attributes `plaquette` and `link_trace`.

    The user block says what the file is, and has the SHA-256 of all that follows, as in ensembles.
    """

    name = "hdf5"
    suffixes = (".h5", ".hdf5")

    def recognises(self, start: bytes) -> bool:
        return start.startswith(MAGIC)

    def read(self, file: BinaryIO, lattice: tuple[int, ...] | None) -> Contents:
        with opened(file, MAGIC, "configuration") as data:
            try:
                links = array_in(data, os.fstat(file.fileno()).st_size)
                numbers = [float(data.attrs[name]) for name in ("plaquette", "link_trace")]  # pyright: ignore
            except (KeyError, TypeError, RuntimeError) as error:
                raise ValueError(f"holds other data: {error.args[0]}") from error
        file.seek(len(MAGIC))
        return Contents(links, file.read(DIGEST).hex(), None, *numbers)

    def refuse(self, space: Links, **options: Any) -> None:
        """Nothing: the format holds all."""

    def write(self, path: Path, links: np.ndarray, measured: Measured) -> str:
        with written(path, MAGIC) as data:
            data["links"] = links
            data.attrs["plaquette"] = measured.plaquette
            data.attrs["link_trace"] = measured.link_trace
        with path.open("rb") as file:
            file.seek(len(MAGIC))
            return file.read(DIGEST).hex()
