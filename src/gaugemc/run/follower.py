"""A process beside process 0: it runs the same run, and leaves no files."""

import dataclasses
import os
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from gaugemc.choices.settings import Settings
from gaugemc.choices.trackers.none import NoTracker
from gaugemc.run.experiment import run
from gaugemc.run.processes import heard
from gaugemc.training.engine import Engine


def follow(settings: Settings, engine: Engine) -> None:
    """Make this process's part of the chains of a run that process 0 has begun or goes on with.

    Raises:
        SettingsError, ConfigurationError, TrainingDivergedError: as `run`; process 0 says so.
        ConnectionError: another process has ended.
    """
    quiet = dataclasses.replace(settings, progress=False, tracker=NoTracker())
    with (
        heard(),
        TemporaryDirectory(prefix="gaugemc-") as path,
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        run(quiet, path, engine=engine)
