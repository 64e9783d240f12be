"""The loop of `framework=pytorch` by the name of the backend, each of which is imported if used."""

from functools import partial

import torch

from gaugemc.choices.settings import Settings
from gaugemc.interop.stages import loop
from gaugemc.interop.torch.train import Stage, train
from gaugemc.run.alike import told
from gaugemc.training.engine import Loop


def loop_of(settings: Settings) -> Loop:
    """The loop that `backend` names."""
    patience = settings.devices.patience
    match settings.backend:
        case "ddp":
            from gaugemc.interop.torch import ddp

            together = partial(ddp.together, patience)
        case "deepspeed":
            from gaugemc.interop.torch import deepspeed

            together = partial(deepspeed.together, settings.zero, patience)
        case "horovod":
            from gaugemc.interop.torch.horovod import together
        case _:
            return train
    return loop(together, Stage, told(settings, torch=torch.__version__))
