"""The trackers of a run: all that are asked for, and none of them can end it."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from gaugemc.choices.choice import Row, Track, TrackerChoice
from gaugemc.choices.settings import Settings
from gaugemc.choices.tracking import trackers
from gaugemc.run.run_directory import RunDirectory
from gaugemc.run.train_phase import warn


@contextmanager
def tracked(settings: Settings, directory: RunDirectory, first_step: int) -> Iterator[Track]:
    """Tracks a row of numbers at a step, in every tracker. At the end the report is there."""
    with ExitStack() as stack:
        tracks = [
            stack.enter_context(unfailing(tracker, settings, directory, first_step))
            for tracker in trackers(settings)
        ]

        def track(step: int, row: Row) -> None:
            for one in tracks:
                one(step, row)

        yield track


@contextmanager
def unfailing(
    tracker: TrackerChoice, settings: Settings, directory: RunDirectory, first_step: int
) -> Iterator[Track]:
    """What one tracker tracks, until it fails: a warning says so, and the run goes on without."""
    stack, failed = ExitStack(), False

    def attempt(task: Any, *arguments: Any) -> Any:
        nonlocal failed
        if failed:
            return None
        try:
            return task(*arguments)
        except Exception as error:
            failed = True
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            warn(directory, f"tracker={tracker.name} failed, and is left out: {reason}")

    context = attempt(tracker.track, settings, directory.path, first_step)
    own = attempt(stack.enter_context, context)
    try:
        yield lambda step, row: attempt(own, step, row)
    except BaseException:
        attempt(stack.__exit__, *sys.exc_info())
        raise
    attempt(stack.close)
