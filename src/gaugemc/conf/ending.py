"""How the program ends: one line that says what to do, and an exit code."""

import shlex
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from gaugemc import interrupt
from gaugemc.choices.frameworks import launcher
from gaugemc.choices.menu import PluginError
from gaugemc.choices.option import SettingsError
from gaugemc.conf.errors import BAD_INPUT, FAILED, of_file, one_line, say
from gaugemc.io.checkpoint import CheckpointError
from gaugemc.io.configuration import ConfigurationError
from gaugemc.run.run_directory import RunDirectoryError
from gaugemc.training import TrainingDivergedError


def guarded(task: Callable[[], int]) -> int:
    """Run a task; what a user can mend becomes one line and an exit code."""
    try:
        return task()
    except (HydraException, OmegaConfBaseException) as error:
        fail(one_line(error), BAD_INPUT)
    except (
        SettingsError,
        PluginError,
        RunDirectoryError,
        CheckpointError,
        ConfigurationError,
    ) as error:
        fail(in_one_line(str(error)), BAD_INPUT)
    except KeyboardInterrupt as error:
        fail(interrupt.advice(), interrupt.exit_code(error))
    except OSError as error:
        absent = isinstance(error, FileNotFoundError)
        fail(in_one_line(of_file(error)), BAD_INPUT if absent else FAILED)
    except TrainingDivergedError as error:
        fail(str(error), FAILED)


def unfailing(task: Callable[[], int]) -> None:
    """Run a task of a callback, whose exceptions Hydra would turn into warnings."""
    try:
        guarded(task)
    except Exception:
        traceback.print_exc()
        sys.exit(FAILED)


def in_one_line(message: str) -> str:
    """A message in which names of files may have any sign."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)


def fail(message: str, code: int) -> NoReturn:
    """Say what is wrong on stderr and exit."""
    if code == BAD_INPUT:
        say(message)
    else:
        print(f"gaugemc: {message}", file=sys.stderr)
    sys.exit(code)


def go_on_with(path: Path) -> str:
    """What to say of a run that is interrupted."""
    started = f", started by {launcher()} as before" if launcher() else ""
    return f"interrupted; go on with: gaugemc resume {shlex.quote(str(path))}{started}"
