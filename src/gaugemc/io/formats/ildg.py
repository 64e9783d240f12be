"""ILDG and SciDAC: links in a LIME file, beside XML (ILDG's file format, 1.2)."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import numpy as np

from gaugemc.io.formats.checksums import SiteSums
from gaugemc.io.formats.format import Contents, Format
from gaugemc.io.formats.lime import FIRST, LAST, MAGIC, records, write_header, write_message
from gaugemc.io.formats.measured import Measured
from gaugemc.io.formats.sites import Layout, check_lattice, exactly, read_links
from gaugemc.io.formats.sites import write_links as write_sites
from gaugemc.spaces import Links

BINARY = ("ildg-binary-data", "scidac-binary-data")
TEXTS = ("ildg-format", "scidac-private-file-xml", "scidac-private-record-xml", "scidac-checksum")
SCHEMA = (
    ' xmlns="http://www.lqcd.org/ildg" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xsi:schemaLocation="http://www.lqcd.org/ildg/filefmt.xsd"'
)
LONGEST = 1 << 16
"""Bytes of a text, at most."""


class Ildg(Format):
    """SU(N) links in four dimensions, big-endian, in float32 or float64."""

    name = "ildg"
    suffixes = (".ildg", ".lime", ".scidac")

    def recognises(self, start: bytes) -> bool:
        return start.startswith(MAGIC)

    def read(self, file: BinaryIO, lattice: tuple[int, ...] | None) -> Contents:
        found = records(file)
        binary = [record for record in found if record.name in BINARY]
        if len(binary) != 1:
            raise ValueError(f"holds {len(binary)} records of links: needs one")
        said = {}
        for record in found:
            if record.name in TEXTS:
                file.seek(record.offset)
                said |= words(record.name, exactly(file, min(record.size, LONGEST)))
        layout = layout_of(said, lattice, binary[0].size)
        file.seek(binary[0].offset)
        checksum = SiteSums(layout.site)
        links = read_links(file, layout, checksum)
        sums = [said.get(key) for key in ("suma", "sumb")]
        stated = None if None in sums else " ".join(f"{number(s, 16):08x}" for s in sums)
        return Contents(links, checksum.hexdigest(), stated)

    def refuse(self, space: Links, lfn: str = "", **options: Any) -> None:
        super().refuse(space, **options)
        try:
            lfn.encode()
        except (AttributeError, UnicodeEncodeError) as error:
            raise ValueError(f"lfn {lfn!r}: must be text") from error

    def write(self, path: Path, links: np.ndarray, measured: Measured, lfn: str = "") -> str:
        n, real = links.shape[-1], np.finfo(links.dtype).dtype.newbyteorder(">")
        layout = Layout(links.shape[1:5], n, real, n)
        checksum = SiteSums(layout.site)
        with path.open("wb") as file:
            file_xml, record_xml, format_xml = texts_of(layout)
            about = [("scidac-private-file-xml", file_xml), ("scidac-file-xml", xml("gauge", {}))]
            write_message(file, about, FIRST | LAST)
            about = [("scidac-private-record-xml", record_xml)]
            about += [("scidac-record-xml", xml("gauge", {})), ("ildg-format", format_xml)]
            write_message(file, about, FIRST)
            write_header(file, BINARY[0], layout.size)  # a multiple of 8 bytes
            write_sites(file, links, layout, checksum)
            suma, sumb = checksum.hexdigest().split()
            sums = xml("scidacChecksum", {"version": "1.0", "suma": suma, "sumb": sumb})
            last = [("ildg-data-lfn", lfn)] if lfn else []
            write_message(file, [*last, ("scidac-checksum", sums)], LAST)
        return checksum.hexdigest()


def words(name: str, data: bytes) -> dict[str, str]:
    """What a record of XML says, by the names of its elements."""
    try:
        root = ElementTree.fromstring(data.rstrip(b"\0 \n").lstrip())
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise ValueError(f"{name} is no XML: {error}") from None
    return {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in root}


def number(word: str | None, base: int = 10) -> int:
    """A whole number in XML."""
    try:
        return int(word or "", base)
    except ValueError:
        raise ValueError(f"{word!r} in XML: is no whole number") from None


def layout_of(said: Mapping[str, str], given: tuple[int, ...] | None, size: int) -> Layout:
    """What is said of links, by the file or by the user; their number of bytes says the rest.

    N^2 pairs of float32 are never as many bytes as M^2 pairs of float64.
    """
    lattice = lattice_of(said) or given
    if lattice is None:
        raise ValueError("lattice: the file does not say it; give the extents in x, y, z, t")
    check_lattice(lattice)
    colors, bits = said.get("field", said.get("colors")), said.get("precision")
    groups = {n: (f"su{n}gauge", str(n)) for n in range(2, 10)}
    reals = {4: ("32", "F"), 8: ("64", "D")}
    layouts = [
        Layout(lattice, n, np.dtype(f">f{real}"), n)
        for n in groups
        for real in reals
        if colors in (None, *groups[n]) and bits in (None, *reals[real])
    ]
    if not layouts:
        raise ValueError(f"links of {colors!r} in {bits!r} bits: needs suNgauge in 32 or 64")
    near = min(layouts, key=lambda layout: abs(layout.size - size))
    if near.size != size:
        what = f"SU({near.n}) in {8 * near.real.itemsize} bits on lattice {list(lattice)}"
        raise ValueError(f"the links have {size} bytes: {what} has {near.size}")
    return near


def lattice_of(said: Mapping[str, str]) -> tuple[int, ...] | None:
    """Extents in x, y, z, t, of ILDG's record or SciDAC's."""
    stated = []
    if "lx" in said:
        stated.append([number(said.get(key)) for key in ("lx", "ly", "lz", "lt")])
    if "dims" in said:
        stated.append([number(word) for word in said["dims"].split()])
    for lattice in stated:
        if lattice != stated[0]:
            raise ValueError(f"says two lattices, {stated[0]} and {lattice}")
    return tuple(stated[0]) if stated else None


def texts_of(layout: Layout) -> tuple[str, str, str]:
    """What SciDAC's records say of the file and of the links, and what ILDG's says."""
    n, size = layout.n, layout.real.itemsize
    letter = {4: "F", 8: "D"}[size]
    file = {
        "version": "1.1",
        "spacetime": 4,
        "dims": "".join(f"{extent} " for extent in layout.lattice),
        "volfmt": 0,
    }
    record = {
        "version": "1.1",
        "date": time.strftime("%a %b %d %H:%M:%S %Y UTC", time.gmtime()),
        "recordtype": 0,
        "datatype": f"QDP_{letter}{n}_ColorMatrix",
        "precision": letter,
        "colors": n,
        "spins": 1,
        "typesize": layout.site // 4,
        "datacount": 4,
    }
    extents = dict(zip(("lx", "ly", "lz", "lt"), layout.lattice))
    ildg = {"version": "1.0", "field": f"su{n}gauge", "precision": 8 * size, **extents}
    return xml("scidacFile", file), xml("scidacRecord", record), xml("ildgFormat", ildg, SCHEMA)


def xml(name: str, words: Mapping[str, object], attributes: str = "") -> str:
    """A document of one level."""
    body = "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in words.items())
    return f'<?xml version="1.0" encoding="UTF-8"?><{name}{attributes}>{body}</{name}>'
