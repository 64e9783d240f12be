"""The loop that trains a run, by the names of its framework and its backend."""

import os

from gaugemc.choices.frameworks import processes
from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.choices.validation import validate
from gaugemc.interop.worker import train_along
from gaugemc.run.follower import follow
from gaugemc.run.processes import first_line
from gaugemc.training.engine import JAX, Engine


def engine_of(settings: Settings) -> Engine:
    """What trains a run of these settings, for `gaugemc.run.experiment.run`.

    Raises:
        SettingsError: the framework or its backend is installed, and cannot be imported.
    """
    if settings.framework == "jax" or not settings.sampler.trains:
        return JAX
    try:
        if settings.framework == "tensorflow":
            from gaugemc.interop.tensorflow.backends import loop_of
        else:
            os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")  # the error says it, in one line
            from gaugemc.interop.torch.backends import loop_of
        return Engine(settings.framework, loop_of(settings))
    except (ImportError, OSError) as error:  # of a package, or of a library that it needs
        problem = f"with backend={settings.backend} cannot be imported: {first_line(error)}"
        raise SettingsError("framework", settings.framework, problem) from error


def work(settings: Settings) -> int:
    """What a process beside process 0 does; returns the exit code.

    Raises:
        SettingsError: a setting cannot be used.
        ConnectionError: process 0 is not there any more.
    """
    validate(settings)
    along = train_along if processes() > 1 else follow
    along(settings, engine_of(settings))
    return 0
