"""HDF5 files with a checksum, which every HDF5 tool can read."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import h5py

BLOCK = 512
"""HDF5's user block, which other programs skip."""
DIGEST = hashlib.sha256().digest_size
"""Bytes of the checksum, behind the magic string."""


def _block(magic: bytes, digest: bytes) -> bytes:
    """The user block: what the file is, and the SHA-256 of the HDF5 data that follow it.

    HDF5 itself may crash or hang on a damaged file. So the checksum is compared before HDF5 reads
    anything.
    """
    return (magic + digest).ljust(BLOCK, b"\0")


class _Sink(io.FileIO):
    """A file that fails late: on a full disk, HDF5 may end the process by a segmentation fault."""

    failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        view = memoryview(data)
        try:
            done = 0
            while done < len(view):  # the operating system may write a part
                done += super().write(view[done:])
        except OSError as error:
            self.failure = error
        return len(view)

    def truncate(self, size: int | None = None, /) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = error
            return size or 0

    def confirm(self) -> None:
        """Raise what has failed."""
        if self.failure is not None:
            raise self.failure


@contextmanager
def written(path: Path, magic: bytes) -> Iterator[h5py.File]:
    """A new HDF5 file, which gets its user block at the end.

    Raises:
        OSError: the file could not be written.
    """
    with _Sink(path, "w+") as sink:
        with h5py.File(sink, "w", userblock_size=BLOCK) as file:
            yield file
        sink.confirm()
        sink.seek(BLOCK)
        digest = hashlib.file_digest(sink, "sha256").digest()  # pyright: ignore[reportArgumentType]
        sink.seek(0)
        sink.write(_block(magic, digest))
        sink.confirm()


@contextmanager
def opened(file: BinaryIO, magic: bytes, name: str) -> Iterator[h5py.File]:
    """The HDF5 file in an open file that `written` wrote, after its checksum has been verified.

    Raises:
        ValueError: not such a file, truncated or damaged.
    """
    file.seek(0)
    block = file.read(BLOCK)
    if not block.startswith(magic):
        raise ValueError(f"not a gaugemc {name}")
    digest = hashlib.file_digest(file, "sha256").digest()  # pyright: ignore[reportArgumentType]
    if block != _block(magic, digest):
        raise ValueError("truncated or damaged: its checksum differs")
    try:
        data = h5py.File(file, "r")
    except (OSError, RuntimeError) as error:
        raise ValueError(f"no HDF5 data: {error}") from error
    with data:
        yield data
