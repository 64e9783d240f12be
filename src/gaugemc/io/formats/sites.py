"""Links in the order of files: x fastest, then y, z and t; at each site the links in x, y, z, t.

A file is read and written one time slice after the other, so that little more than the links
themselves is in memory.
"""

import os
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

import numpy as np

from gaugemc.io.formats.checksums import Checksum

TO_HOUSE = (3, 2, 1, 0, 4, 5)
"""From axes z, y, x, mu to mu, x, y, z, and back."""


class Layout(NamedTuple):
    """Links of a lattice in a file: matrices are row by row, each entry is two real numbers."""

    lattice: tuple[int, ...]
    """Extents in x, y, z, t."""
    n: int
    """N of SU(N)."""
    real: np.dtype
    """Of a real number, with the byte order of the file."""
    rows: int
    """Of each matrix; N, or two of three."""

    @property
    def site(self) -> int:
        """Bytes of a site."""
        return 4 * self.rows * self.n * 2 * self.real.itemsize

    @property
    def size(self) -> int:
        """Bytes of all links."""
        x, y, z, t = self.lattice
        return x * y * z * t * self.site

    @property
    def complex(self) -> np.dtype:
        """Type of the entries of links in memory."""
        return np.dtype(f"c{2 * self.real.itemsize}")


def check_lattice(lattice: Sequence[int]) -> None:
    """Refuse extents that no lattice has; a product of such numbers could be the right size."""
    if len(lattice) != 4 or min(lattice) < 1:
        raise ValueError(f"lattice {list(lattice)}: needs four positive extents")


def check_size(name: str, found: int, expected: int) -> None:
    """Refuse a part of a file that is not as long as what was said of it."""
    if found != expected:
        what = "truncated" if found < expected else "too long"
        raise ValueError(f"{what}: {name} has {found} bytes of {expected}")


def exactly(file: BinaryIO, size: int) -> bytes:
    """The next bytes of a file."""
    data = file.read(size)
    check_size("a part of the file", len(data), size)
    return data


def rest(file: BinaryIO) -> int:
    """How many bytes follow in a file."""
    return os.fstat(file.fileno()).st_size - file.tell()


def read_links(file: BinaryIO, layout: Layout, checksum: Checksum) -> np.ndarray:
    """Links of shape (4, L_x, L_y, L_z, L_t, N, N) from where the file stands."""
    x, y, z, t = layout.lattice
    links = np.empty((4, x, y, z, t, layout.n, layout.n), layout.complex)
    for here in range(t):
        data = exactly(file, layout.size // t)
        checksum.update(data)
        numbers = np.frombuffer(data, layout.real).astype(layout.real.newbyteorder("="))
        sites = numbers.view(layout.complex).reshape(z, y, x, 4, layout.rows, layout.n)
        links[..., here, : layout.rows, :] = sites.transpose(TO_HOUSE)
        if layout.rows < layout.n:
            links[..., here, 2, :] = third_row(links[..., here, :2, :])
    return links


@np.errstate(all="ignore")  # what is no number is refused later
def third_row(rows: np.ndarray) -> np.ndarray:
    """The last row of SU(3) matrices from the others."""
    return np.conj(np.cross(rows[..., 0, :], rows[..., 1, :]))


def write_links(file: BinaryIO, links: np.ndarray, layout: Layout, checksum: Checksum) -> None:
    """Write links of the house's shape where the file stands."""
    for here in range(layout.lattice[3]):
        sites = links[..., here, : layout.rows, :].transpose(TO_HOUSE)
        numbers = np.ascontiguousarray(sites).view(np.finfo(sites.dtype).dtype)
        data = numbers.astype(layout.real).tobytes()
        checksum.update(data)
        file.write(data)
