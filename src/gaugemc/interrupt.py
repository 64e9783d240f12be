"""Ctrl-C and SIGTERM: heard at every moment, answered in one line, never swallowed.

Until the run has begun, an interruption ends the process at once: there is nothing to clean up, and
an exception could be caught, or turned into another, by whatever is being imported. Inside `raised`
an interruption is an exception, so that files are closed and the terminal is restored. A thread
ends the process where the exception does not arrive: in a long compiled call, or in code that
drops exceptions. Nothing is lost: every file of a run is replaced in one step.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_HEARING, _CLEANING = 2.0, 20.0  # seconds until an exception must have been raised, and all ended


class Interrupted(KeyboardInterrupt):
    """A signal asks this program to end."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


class _Attention:
    """How the one process that this is answers signals."""

    advice = "interrupted"
    mode = "end"
    """"end" the process, "raise" an exception, or "wait" for a moment."""
    caught: int | None = None
    """The first signal."""
    postponed: int | None = None
    """A signal that has to wait."""
    arrived = False
    """Whether the exception was raised, and not dropped."""


def install() -> None:
    """Answer both signals from now on, except one that whoever started this program ignores."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _answer)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader,), daemon=True).start()
    sys.unraisablehook = _dropped


def advise(advice: str) -> None:
    """What to say when an interruption ends the process: one line."""
    _Attention.advice = advice


def advice() -> str:
    """What to say when an interruption ends the process."""
    return _Attention.advice


def exit_code(error: KeyboardInterrupt) -> int:
    """130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (error.number if isinstance(error, Interrupted) else int(signal.SIGINT))


@contextmanager
def raised() -> Iterator[None]:
    """Inside, an interruption is the exception `Interrupted`; a second one ends the process."""
    with _mode("raise"):
        yield


@contextmanager
def postponed() -> Iterator[None]:
    """Inside, for a moment, an interruption has to wait."""
    with _mode("wait"):
        yield
    if _Attention.postponed is not None:
        _answer(_Attention.postponed)


@contextmanager
def at_once() -> Iterator[None]:
    """Around all of the program: where an interruption ends it, what still runs is not waited for.

    Python itself would wait for threads, and so for a long computation of XLA.
    """
    try:
        yield
    except SystemExit as ending:
        if _Attention.caught is None or not isinstance(ending.code, int):
            raise
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(ending.code)


@contextmanager
def _mode(mode: str) -> Iterator[None]:
    before, _Attention.mode = _Attention.mode, mode
    try:
        yield
    finally:
        _Attention.mode = before


def _answer(number: int, _: object = None) -> None:
    """The handler of both signals."""
    if _Attention.mode == "wait":
        _Attention.postponed = number
        return
    again = _Attention.caught is not None
    _Attention.caught = _Attention.caught or number
    if _Attention.mode == "raise" and not again:
        _Attention.arrived = True
        raise Interrupted(number)
    _end(_Attention.caught)


def _end(number: int) -> None:
    """Say what to do, and end the process whatever it is doing."""
    cursor = "\x1b[?25h" if os.isatty(2) else ""  # which a progress bar hides
    with suppress(OSError):
        os.write(2, f"{cursor}gaugemc: {_Attention.advice}\n".encode())
    os._exit(128 + number)


def _watch(reader: int) -> None:
    """End the process if an interruption does not."""
    number = 0
    while number not in SIGNALS:
        number = os.read(reader, 1)[0]
    time.sleep(_HEARING)
    if _Attention.arrived:
        time.sleep(_CLEANING)
    _end(number)


def _dropped(unraisable: "sys.UnraisableHookArgs") -> None:
    """An exception was dropped, in a finaliser or a callback."""
    if isinstance(unraisable.exc_value, Interrupted):
        _Attention.arrived = False  # so that the thread ends the process
    else:
        sys.__unraisablehook__(unraisable)
