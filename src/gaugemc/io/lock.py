"""One writer: a lock on a directory, and who holds the lock."""

import errno
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from gaugemc.io.atomic import write_atomically

_LOCK, _HOLDER = ".lock", ".lock.json"
_PATIENCE = 0.5  # seconds: a killed process may hold the lock for some milliseconds after its end
_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


class LockedError(RuntimeError):
    """Another process works in a directory; one line says which."""


class Lock:
    """The right to write into a directory, while it lasts."""

    def __init__(self, directory: Path, *, locked: bool):
        self.directory = directory
        self.locked = locked
        """Whether the file system keeps others out; where it has no locks, only `confirm` helps."""
        self._holder = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": datetime.now().astimezone().isoformat(timespec="seconds"),
            "token": secrets.token_hex(8),
        }
        with write_atomically(directory / _HOLDER) as temporary:
            temporary.write_text(json.dumps(self._holder) + "\n")

    def confirm(self) -> None:
        """Raise LockedError unless the directory is still there and still this process's own.

        A file system without locks, or whose locks do not reach other hosts, lets a second process
        in. The second process signs as the holder, and the first one finds that out here.
        """
        holder = _holder(self.directory)
        if holder.get("token") == self._holder["token"]:
            return
        if holder:
            raise LockedError(f"{self.directory} was taken over by another process: {_who(holder)}")
        raise LockedError(
            f"{self.directory} was removed or emptied while this process worked there"
        )


@contextmanager
def locked(directory: Path | str) -> Iterator[Lock]:
    """Hold the lock of an existing directory; it is released at the end, and by any kind of death.

    The lock is the operating system's (flock) on the file `.lock`; `.lock.json` says who holds it.

    Raises:
        LockedError: another process holds the lock, or another part of this one.
        OSError: the directory is not there, or cannot be written.
    """
    directory = Path(directory).resolve()
    if not directory.is_dir():  # filelock would make one
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(directory))
    lock = FileLock(directory / _LOCK, thread_local=False, fallback_to_soft=False)
    held = True
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        raise LockedError(
            f"{directory}: another process works there ({_who(_holder(directory))});"
            " wait for its end, or end it"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        held = False
    try:
        own = Lock(directory, locked=held)
        try:
            yield own
        finally:
            if _holder(directory).get("token") == own._holder["token"]:
                (directory / _HOLDER).unlink(missing_ok=True)
    finally:
        if held:
            lock.release()


def _holder(directory: Path) -> dict[str, str]:
    """What the holder of the lock wrote about itself; {} without a holder."""
    try:
        holder = json.loads((directory / _HOLDER).read_text())
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _who(holder: dict[str, str]) -> str:
    """The holder in words."""
    if not holder:
        return "which left no name"
    return f"host {holder.get('host')}, pid {holder.get('pid')}, since {holder.get('since')}"
