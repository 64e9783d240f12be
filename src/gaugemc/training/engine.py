"""Who trains a run: the loop of one framework."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from jaxtyping import Array, Key

from gaugemc.training.growth import GrowingBatch
from gaugemc.training.schedule import Descent
from gaugemc.training.train import ChainObjective, Metrics, Objective, TrainingState, train

AnyObjective = Objective | ChainObjective | GrowingBatch
Steps = Iterator[tuple[TrainingState, Metrics]]
Loop = Callable[[AnyObjective, Descent, TrainingState, Key[Array, ""], int, int], Steps]
"""As `train`, which explains the arguments; all loops share states and random numbers."""


class Engine(NamedTuple):
    """A framework, as `framework=` names it, and its loop."""

    framework: str
    train: Loop


def in_jax(
    objective: AnyObjective,
    descent: Descent,
    state: TrainingState,
    key: Key[Array, ""],
    steps: int,
    chunk: int,
    devices: Sequence[Any] = (),
) -> Steps:
    """The compiled loop."""
    return train(objective, descent.in_jax, state, key, steps, chunk, devices)


JAX = Engine("jax", in_jax)


def jax_on(devices: Sequence[Any]) -> Engine:
    """The compiled loop on devices that share each batch."""
    return Engine("jax", functools.partial(in_jax, devices=devices))
