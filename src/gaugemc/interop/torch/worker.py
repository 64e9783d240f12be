"""What the processes beside process 0 do in a run: they train, and leave no files."""

import jax

from gaugemc.choices.settings import Settings
from gaugemc.choices.validation import validate
from gaugemc.interop.torch.train import train_together
from gaugemc.run.train_phase import descent_of
from gaugemc.run.trainee import build_trainee
from gaugemc.training import TrainingDivergedError


def work(settings: Settings) -> int:
    """Train with process 0, from its state and with its key; returns the exit code.

    Raises:
        SettingsError: a setting cannot be used.
        ConnectionError: process 0 is not there any more.
    """
    validate(settings)
    if not settings.sampler.trains:
        return 0
    trainee = build_trainee(settings)
    descent, t = descent_of(trainee), settings.training
    key = jax.random.key(0)
    like = trainee.start(descent.in_jax, key, key)
    try:
        for _ in train_together(trainee.objective, descent, like, key, t.steps, t.chunk):
            pass
    except TrainingDivergedError:
        return 0  # process 0 says so
    return 0
