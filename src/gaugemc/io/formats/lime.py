"""LIME, the container of ILDG's and SciDAC's files: named records one after the other."""

import struct
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

from gaugemc.io.formats.sites import exactly, rest

MAGIC = bytes.fromhex("456789ab0001")
"""Of each record, with the version 1."""
HEADER = struct.Struct(">6sHQ128s")
"""Magic number, flags, bytes of the data, name; the data are filled up to a multiple of 8."""
FIRST, LAST = 0x8000, 0x4000
"""Flags of the first and the last record of a message."""


class Record(NamedTuple):
    """Where the data of a record are."""

    name: str
    offset: int
    size: int


def records(file: BinaryIO) -> list[Record]:
    """All records of a file, from its beginning."""
    file.seek(0)
    found = []
    while left := rest(file):
        if left < HEADER.size:
            raise ValueError(f"truncated: {left} bytes of a record's header of {HEADER.size}")
        magic, _, size, name = HEADER.unpack(exactly(file, HEADER.size))
        record = Record(name.partition(b"\0")[0].decode("latin-1"), file.tell(), size)
        if magic != MAGIC:
            raise ValueError(f"damaged: no record begins at byte {record.offset - HEADER.size}")
        if rest(file) < size:
            raise ValueError(f"truncated: {record.name!r} has {rest(file)} bytes of {size}")
        found.append(record)
        file.seek(min(size + -size % 8, rest(file)), 1)
    return found


def write_header(file: BinaryIO, name: str, size: int, flags: int = 0) -> None:
    """Begin a record, whose data follow."""
    file.write(HEADER.pack(MAGIC, flags, size, name.encode()))


def write_message(file: BinaryIO, texts: Iterable[tuple[str, str]], flags: int) -> None:
    """Write records of text; the flags are those of the first and of the last record."""
    texts = list(texts)
    for place, (name, text) in enumerate(texts):
        data = text.encode() + b"\0"
        own = (flags & FIRST) * (place == 0) | (flags & LAST) * (place == len(texts) - 1)
        write_header(file, name, len(data), own)
        file.write(data + b"\0" * (-len(data) % 8))
