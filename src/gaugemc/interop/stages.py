"""The loop over chunks of steps of another framework."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import jax
from jaxtyping import Array, Key

from gaugemc.interop.processes import Alone
from gaugemc.run.alike import Told, refuse_unlike
from gaugemc.training.engine import AnyObjective, Loop, Steps
from gaugemc.training.growth import GrowingBatch
from gaugemc.training.schedule import Descent
from gaugemc.training.train import Metrics, TrainingState, check_metrics


class Stage(Protocol):
    """Training with one objective, from a state."""

    def advance(self, length: int) -> Metrics:
        """So many steps."""
        ...

    def state(self) -> TrainingState:
        """What training goes on from, in any framework."""
        ...


Together = Callable[[], AbstractContextManager[Alone]]
"""Makes what trains together; inside, these are one training."""
Begin = Callable[..., Stage]
"""Takes the processes, an objective, the optimiser, the state and the key."""


def loop(together: Together, begin: Begin, own: Told) -> Loop:
    """As `gaugemc.training.train`, with a stage for each batch of an objective that grows.

    On several processes each computes an equal share of every batch, with the random numbers of one
    process, from the state of process 0. All must have been told the same.

    Args:
        together: see there.
        begin: see there.
        own: what this process was told.

    Raises:
        TrainingDivergedError: with the first step whose loss or gradient is not finite.
        ConnectionError: a process has ended, or was told something else.
    """

    def train(
        objective: AnyObjective,
        descent: Descent,
        state: TrainingState,
        key: Key[Array, ""],
        steps: int,
        chunk: int,
    ) -> Steps:
        """As `gaugemc.training.train`: equal to rounding, with the same states."""
        with together() as processes:
            refuse_unlike(processes.gathered(own))
            state, words = processes.agreed((state, jax.random.key_data(key)))
            key, done = jax.random.wrap_key_data(words), int(state.step)
            while done < steps:
                grows = isinstance(objective, GrowingBatch)
                now, end = objective.at(done) if grows else (objective, steps)
                stage = begin(processes, now, descent, state, key)
                while done < min(end, steps):
                    length = min(chunk, min(end, steps) - done)
                    metrics = stage.advance(length)
                    check_metrics(metrics, done)
                    done += length
                    state = stage.state()
                    yield state, metrics

    return train
