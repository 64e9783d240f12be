"""The loop that trains a run, by the names of its framework and its backend."""

from gaugemc.choices.frameworks import processes
from gaugemc.choices.settings import Settings
from gaugemc.choices.validation import validate
from gaugemc.interop.worker import train_along
from gaugemc.run.follower import follow
from gaugemc.training.engine import JAX, Engine


def engine_of(settings: Settings) -> Engine:
    """What trains a run of these settings, for `gaugemc.run.experiment.run`."""
    if settings.framework == "jax" or not settings.sampler.trains:
        return JAX
    if settings.framework == "tensorflow":
        from gaugemc.interop.tensorflow.backends import loop_of
    else:
        from gaugemc.interop.torch.backends import loop_of
    return Engine(settings.framework, loop_of(settings))


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
