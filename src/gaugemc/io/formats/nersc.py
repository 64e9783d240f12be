"""NERSC's archive format: a header of text, then links (A. Soni et al., Gauge Connection)."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gaugemc.io.formats.checksums import WordSum
from gaugemc.io.formats.format import Contents, Format
from gaugemc.io.formats.measured import Measured
from gaugemc.io.formats.sites import (
    Layout,
    check_lattice,
    check_size,
    read_links,
    rest,
    write_links,
)
from gaugemc.spaces import Links

BEGIN, END = b"BEGIN_HEADER\n", b"END_HEADER\n"
LONGEST = 1 << 16
"""Bytes of a header, at most."""
REALS = {
    "IEEE32": ">f4",
    "IEEE64": ">f8",
    "IEEE32BIG": ">f4",
    "IEEE64BIG": ">f8",
    "IEEE32LITTLE": "<f4",
    "IEEE64LITTLE": "<f8",
}
"""Types of a real number by FLOATING_POINT; without a byte order the archive's own, big-endian."""


class Nersc(Format):
    """`4D_SUN_GAUGE_NxN`, and for SU(3) `4D_SU3_GAUGE`, the first two rows of each matrix."""

    name = "nersc"
    suffixes = (".nersc",)

    def recognises(self, start: bytes) -> bool:
        return start.startswith(BEGIN)

    def read(self, file: BinaryIO, lattice: tuple[int, ...] | None) -> Contents:
        header = read_header(file)
        layout = layout_of(header)
        check_size("the data", rest(file), layout.size)
        checksum = WordSum(layout.real)
        links = read_links(file, layout, checksum)
        return Contents(
            links,
            checksum.hexdigest(),
            f"{number(header, 'CHECKSUM', lambda word: int(word, 16)):08x}",
            number(header, "PLAQUETTE", float),
            number(header, "LINK_TRACE", float),
        )

    def refuse(self, space: Links, **options: Any) -> None:
        super().refuse(space)
        if options.get("two_rows") and space.group.name != "SU(3)":
            raise ValueError(f"two_rows: nersc has them for SU(3), not for {space.group.name}")

    def write(
        self,
        path: Path,
        links: np.ndarray,
        measured: Measured,
        two_rows: bool = False,
        little_endian: bool = False,
    ) -> str:
        n, precision = links.shape[-1], np.finfo(links.dtype).dtype.itemsize
        real = np.dtype(f"{'<' if little_endian else '>'}f{precision}")
        layout = Layout(links.shape[1:5], n, real, 2 if two_rows else n)
        checksum = WordSum(layout.real)
        with path.open("wb") as file:
            file.write(header_of(layout, measured, "0" * 8))
            write_links(file, links, layout, checksum)
            file.seek(0)
            file.write(header_of(layout, measured, checksum.hexdigest()))
        return checksum.hexdigest()


def read_header(file: BinaryIO) -> dict[str, str]:
    """The words of a header by their keys; the file then stands where the data begin."""
    start = file.read(LONGEST)
    end = start.find(b"\n" + END) + 1
    if not end:
        raise ValueError("the header has no end: no END_HEADER")
    file.seek(end + len(END))
    lines = start[len(BEGIN) : end].decode("latin-1").splitlines()
    pairs = [line.partition("=") for line in lines]
    return {key.strip(): value.strip() for key, _, value in pairs}


def number(header: Mapping[str, str], key: str, kind: Any) -> Any:
    """A word of the header as a number."""
    if key not in header:
        raise ValueError(f"the header has no {key}")
    try:
        return kind(header[key])
    except ValueError:
        raise ValueError(f"{key} = {header[key]!r}: is no number") from None


def layout_of(header: Mapping[str, str]) -> Layout:
    """What a header says of the data."""
    datatype, point = header.get("DATATYPE", ""), header.get("FLOATING_POINT", "")
    found = re.fullmatch(r"4D_SU([2-9])_GAUGE(?:_\1x\1)?", datatype)
    if found is None or (found[1] != "3" and "x" not in datatype):
        raise ValueError(f"DATATYPE = {datatype!r}: give 4D_SU3_GAUGE or 4D_SUN_GAUGE_NxN")
    if point not in REALS:
        raise ValueError(f"FLOATING_POINT = {point!r}: choose one of {', '.join(REALS)}")
    lattice = tuple(number(header, f"DIMENSION_{i}", int) for i in range(1, 5))
    check_lattice(lattice)
    n = int(found[1])
    return Layout(lattice, n, np.dtype(REALS[point]), n if "x" in datatype else 2)


def header_of(layout: Layout, measured: Measured, checksum: str) -> bytes:
    """A header, with the keys that other readers look for."""
    n = layout.n
    order = "LITTLE" if layout.real.str[0] == "<" else "BIG"
    words = {
        "HDR_VERSION": "1.0",
        "DATATYPE": f"4D_SU{n}_GAUGE" + (f"_{n}x{n}" if layout.rows == n else ""),
        "STORAGE_FORMAT": "1.0",
        **{f"DIMENSION_{i}": extent for i, extent in enumerate(layout.lattice, 1)},
        "LINK_TRACE": f"{measured.link_trace:.12g}",
        "PLAQUETTE": f"{measured.plaquette:.12g}",
        **{f"BOUNDARY_{i}": "PERIODIC" for i in range(1, 5)},
        "CHECKSUM": checksum,
        "ENSEMBLE_ID": "gaugemc",
        "ENSEMBLE_LABEL": "gaugemc",
        "SEQUENCE_NUMBER": 0,
        "CREATOR": "gaugemc",
        "FLOATING_POINT": f"IEEE{8 * layout.real.itemsize}{order}",
    }
    lines = "".join(f"{key} = {value}\n" for key, value in words.items())
    return BEGIN + lines.encode() + END
