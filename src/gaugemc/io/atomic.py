"""Files that are there completely or not at all."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TEMPORARY = ".tmp-"


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def write_atomically(path: Path | str) -> Iterator[Path]:
    """Replace the file `path` in one step, also when the process is killed or the disk is full.

    Yields the path of a temporary file in the same directory with the same suffix. The body of the
    `with` statement writes and closes this file. If the body succeeds, the temporary file reaches
    the disk and takes the name `path`. If the body fails, the temporary file is removed, and a file
    that was at `path` before is untouched.

    Raises:
        OSError: the file could not be written; one line with the reason and `path`.
    """
    path = Path(path)
    temporary = path.with_name(f"{_TEMPORARY}{secrets.token_hex(4)}-{path.name}")
    try:
        try:
            yield temporary
            _flush_to_disk(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _flush_to_disk(path.parent)  # the new name itself, which a power failure could else undo
    except OSError as error:
        if str(error.filename) not in ("None", str(temporary), str(path.parent)):
            raise  # about another file, which the body read
        code = error.errno or errno.EIO
        raise OSError(code, f"cannot write: {os.strerror(code)}", str(path)) from error


def remove_leftovers(directory: Path | str, pattern: str) -> None:
    """Remove temporary files that killed writers of files named like `pattern` (a glob) left."""
    for leftover in Path(directory).glob(f"{_TEMPORARY}*-{pattern}"):
        leftover.unlink(missing_ok=True)
