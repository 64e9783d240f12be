"""The loop of `framework=tensorflow` by the name of the backend, which is imported if used."""

from functools import partial

import tensorflow as tf

from gaugemc.choices.settings import Settings
from gaugemc.interop.stages import loop
from gaugemc.interop.tensorflow.train import Stage, train
from gaugemc.run.alike import told
from gaugemc.training.engine import Loop


def loop_of(settings: Settings) -> Loop:
    """The loop that `backend` names."""
    match settings.backend:
        case "horovod":
            from gaugemc.interop.tensorflow.horovod import together
        case "multiworker":
            from gaugemc.interop.tensorflow import multiworker

            together = partial(multiworker.together, settings.devices.patience)
        case _:
            return train
    return loop(together, Stage, told(settings, tensorflow=tf.__version__))
