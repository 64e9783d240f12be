"""MILC's version 5 binary format, single precision in either byte order; it is only read."""

import struct
from typing import BinaryIO

import numpy as np

from gaugemc.io.formats.checksums import RotatedWords
from gaugemc.io.formats.format import Contents, Format
from gaugemc.io.formats.sites import Layout, check_lattice, check_size, exactly, read_links, rest

ORDERS = {struct.pack(f"{order}i", 20103): order for order in "<>"}
"""Byte orders by the magic number that a file begins with."""
HEADER = "i4i64si2I"
"""Magic number, x, y, z, t, time stamp, order of the sites (0: x fastest), two checksums."""


class Milc(Format):
    """Version 5, written by MILC's `save_serial` and `save_parallel`."""

    name = "milc"

    def recognises(self, start: bytes) -> bool:
        return start[:4] in ORDERS

    def read(self, file: BinaryIO, lattice: tuple[int, ...] | None) -> Contents:
        order = ORDERS[exactly(file, 4)]
        file.seek(0)
        header = order + HEADER
        _, *extents, _, sites, sum29, sum31 = struct.unpack(
            header, exactly(file, struct.calcsize(header))
        )
        if sites:
            raise ValueError(f"order of sites {sites}: only 0, x fastest, can be read")
        check_lattice(extents)
        layout = Layout(tuple(extents), 3, np.dtype(f"{order}f4"), 3)
        check_size("the data", rest(file), layout.size)
        checksum = RotatedWords(np.dtype(f"{order}u4"))
        links = read_links(file, layout, checksum)
        return Contents(links, checksum.hexdigest(), f"{sum29:08x} {sum31:08x}")
