"""Signals: answered at every moment, with one line and the right exit code."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

START = """
import hashlib, sys, time
from gaugemc import interrupt
interrupt._HEARING, interrupt._CLEANING = 0.3, 600
interrupt.advise("go on")
interrupt.install()
"""
RUN = """
try:
    with interrupt.raised():
        try:
            print("ready", flush=True)
            {work}
        finally:
            print("cleaned", flush=True)
except KeyboardInterrupt as error:
    print("gaugemc:", interrupt.advice(), file=sys.stderr)
    sys.exit(interrupt.exit_code(error))
"""
IMPORTING = """
for _ in range(100):
    try:
        print("ready", flush=True)
        time.sleep(60)
    except BaseException:  # as some packages do
        pass
"""
DROPPED = """
class Closed:
    def __del__(self):
        print("ready", flush=True)
        time.sleep(60)
with interrupt.raised():
    Closed()
    time.sleep(60)
"""
POSTPONED = """
with interrupt.raised(), interrupt.postponed():
    print("ready", flush=True)
    time.sleep(0.1)
    print("cleaned", flush=True)
time.sleep(60)
"""
COMPILED = 'while True: hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)'
"""A call that lets other threads run and hears no signal, as XLA's."""


def answer(program: str, *numbers: signal.Signals) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a program that gets signals once it is ready."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored signals are inherited
    process = subprocess.Popen(
        [sys.executable, "-c", START + program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.1)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["int", "term"])
@pytest.mark.parametrize(
    ("program", "cleaned"),
    [
        (IMPORTING, False),
        (RUN.format(work="time.sleep(60)"), True),
        (RUN.format(work=COMPILED), None),  # a signal just before the call is an exception
        (DROPPED, False),
    ],
    ids=["importing", "running", "compiled", "dropped"],
)
def test_a_signal_ends_the_program_in_one_line(
    program: str, cleaned: bool | None, number: signal.Signals
) -> None:
    code, out, err = answer(program, number)
    assert code == 128 + number
    assert err == "gaugemc: go on\n"
    assert cleaned is None or ("cleaned" in out) == cleaned


def test_a_second_signal_does_not_wait_for_the_cleaning() -> None:
    slow = RUN.replace('print("cleaned"', 'time.sleep(60); print("cleaned"')
    code, out, err = answer(slow.format(work="time.sleep(60)"), signal.SIGINT, signal.SIGTERM)
    assert (code, out, err) == (130, "", "gaugemc: go on\n")


def test_a_computation_that_goes_on_is_not_waited_for() -> None:
    thread = f"import threading; threading.Thread(target=lambda: exec({COMPILED!r})).start()\n"
    body = RUN.format(work="time.sleep(60)").replace("\n", "\n    ")
    code, out, err = answer(f"{thread}with interrupt.at_once():{body}", signal.SIGINT)
    assert (code, out, err) == (130, "cleaned\n", "gaugemc: go on\n")


def test_a_moment_that_must_not_be_interrupted_is_finished_first() -> None:
    code, out, err = answer(POSTPONED, signal.SIGTERM)
    assert out == "cleaned\n"
    assert code == 1  # an exception, since nothing here catches it
    assert err.endswith("gaugemc.interrupt.Interrupted: 15\n")


def test_what_the_caller_ignores_stays_ignored(tmp_path: Path) -> None:
    """As for a job in the background of a script, or of nohup."""
    program = START + "import signal; assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN"
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        subprocess.run([sys.executable, "-c", program], check=True)
    finally:
        signal.signal(signal.SIGINT, before)
