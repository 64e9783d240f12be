"""openQCD's "exported" configurations (main/README.io of openQCD); they are only read."""

import struct
from typing import BinaryIO

import numpy as np

from gaugemc.io.formats.format import Contents, Format
from gaugemc.io.formats.sites import check_lattice, check_size, exactly, rest

HEADER = struct.Struct("<4id")
"""t, x, y, z, and 3 times the mean plaquette: 24 bytes, little-endian as all of the file."""
TO_HOUSE = (3, 0, 1, 2)
"""The house's direction of each of openQCD's, which are t, x, y, z."""
PAIR = 2 * 9 * 16
"""Bytes of U(n, mu) and U(n - mu, mu)."""


class OpenQcd(Format):
    """Periodic SU(3) links in float64: of each odd site the four links that leave and arrive.

    The format has no magic number: four small numbers and a possible plaquette begin a file.
    """

    name = "openqcd"

    def recognises(self, start: bytes) -> bool:
        if len(start) < HEADER.size:
            return False
        *extents, plaquette = HEADER.unpack_from(start)
        return all(0 < extent < 2**16 for extent in extents) and abs(plaquette) <= 3

    def read(self, file: BinaryIO, lattice: tuple[int, ...] | None) -> Contents:
        *extents, plaquette = HEADER.unpack(exactly(file, HEADER.size))
        t, *space = extents
        check_lattice(extents)
        if any(extent % 2 for extent in extents):
            raise ValueError(f"lattice {[*space, t]}: openQCD has even extents alone")
        slice_size = int(np.prod(space)) // 2 * 4 * PAIR
        check_size("the data", rest(file), t * slice_size)
        links = np.empty((4, *space, t, 3, 3), np.complex128)
        for here in range(t):
            numbers = np.frombuffer(exactly(file, slice_size), "<f8").astype(np.float64)
            pairs = numbers.view(np.complex128).reshape(-1, 4, 2, 3, 3)
            odd = np.nonzero((np.indices(space).sum(axis=0) + here) % 2)
            sites = np.stack([*odd, np.full(len(pairs), here)])  # z runs fastest
            for mu, (forward, backward) in zip(TO_HOUSE, pairs.swapaxes(0, 1).swapaxes(1, 2)):
                links[mu, *sites] = forward
                before = sites - np.eye(4, dtype=int)[mu][:, None]
                links[mu, *before] = backward  # where an index is -1, NumPy goes around
        return Contents(links, "", plaquette=plaquette / 3, tolerance=1e-12)
