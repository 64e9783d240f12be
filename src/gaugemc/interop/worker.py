"""What the processes beside process 0 do in a run: they train, and leave no files."""

import jax

from gaugemc.choices.settings import Settings
from gaugemc.run.train_phase import descent_of
from gaugemc.run.trainee import build_trainee
from gaugemc.training import TrainingDivergedError
from gaugemc.training.engine import Engine


def train_along(settings: Settings, engine: Engine) -> None:
    """Train with process 0, from its state and with its key.

    Raises:
        ConnectionError: process 0 is not there any more.
    """
    if not settings.sampler.trains:
        return
    trainee = build_trainee(settings)
    descent, t = descent_of(trainee), settings.training
    key = jax.random.key(0)
    like = trainee.start(descent.in_jax, key, key)
    try:
        for _ in engine.train(trainee.objective, descent, like, key, t.steps, t.chunk):
            pass
    except TrainingDivergedError:
        pass  # process 0 says so
