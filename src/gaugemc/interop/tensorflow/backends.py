"""The loop of `framework=tensorflow` by the name of the backend, which is imported if used."""

from gaugemc.choices.settings import Settings
from gaugemc.interop.stages import loop
from gaugemc.interop.tensorflow.train import Stage, train
from gaugemc.training.engine import Loop


def loop_of(settings: Settings) -> Loop:
    """The loop that `backend` names."""
    if settings.backend == "none":
        return train
    from gaugemc.interop.tensorflow.horovod import together

    return loop(together, Stage)
