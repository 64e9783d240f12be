"""The loop over chunks of steps of another framework."""

from collections.abc import Callable
from typing import Protocol

from jaxtyping import Array, Key

from gaugemc.training.engine import AnyObjective, Steps
from gaugemc.training.growth import GrowingBatch
from gaugemc.training.schedule import Descent
from gaugemc.training.train import (
    ChainObjective,
    Metrics,
    Objective,
    TrainingState,
    check_metrics,
)


class Stage(Protocol):
    """Training with one objective, from a state."""

    def advance(self, length: int) -> Metrics:
        """So many steps."""
        ...

    def state(self) -> TrainingState:
        """What training goes on from, in any framework."""
        ...


Start = Callable[[Objective | ChainObjective, Descent, TrainingState, Key[Array, ""]], Stage]


def in_stages(
    start: Start,
    objective: AnyObjective,
    descent: Descent,
    state: TrainingState,
    key: Key[Array, ""],
    steps: int,
    chunk: int,
) -> Steps:
    """As `gaugemc.training.train`, with a stage for each batch of an objective that grows.

    Raises:
        TrainingDivergedError: with the first step whose loss or gradient is not finite.
    """
    done = int(state.step)
    while done < steps:
        now, end = objective.at(done) if isinstance(objective, GrowingBatch) else (objective, steps)
        stage = start(now, descent, state, key)
        while done < min(end, steps):
            length = min(chunk, min(end, steps) - done)
            metrics = stage.advance(length)
            check_metrics(metrics, done)
            done += length
            state = stage.state()
            yield state, metrics
