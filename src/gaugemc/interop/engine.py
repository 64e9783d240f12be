"""The loop that trains a run, by the name of its framework."""

from gaugemc.choices.settings import Settings
from gaugemc.run.follower import follow
from gaugemc.training.engine import JAX, Engine


def engine_of(settings: Settings) -> Engine:
    """What trains a run of these settings, for `gaugemc.run.experiment.run`."""
    if settings.framework == "jax" or not settings.sampler.trains:
        return JAX
    if settings.framework == "tensorflow":
        from gaugemc.interop import tensorflow

        return Engine("tensorflow", tensorflow.train)
    from gaugemc.interop.torch.train import train, train_together

    return Engine("pytorch", train_together if settings.backend == "ddp" else train)


def work(settings: Settings) -> int:
    """What a process beside process 0 does; returns the exit code."""
    if settings.devices.launcher != "none":
        follow(settings, engine_of(settings))
        return 0
    from gaugemc.interop.torch import worker

    return worker.work(settings)
