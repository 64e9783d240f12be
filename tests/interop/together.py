"""What each process does in test_torch_processes.py; torchrun starts it.

Trains a hundred steps together, then alone. Prints how much the two differ.
"""

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import numpy as np

from gaugemc.choices.frameworks import processes, rank
from gaugemc.flows import vector_flow
from gaugemc.interop.torch import train, train_together
from gaugemc.samplers import trainable_leapfrog
from gaugemc.theories.toys import strongly_correlated_gaussian
from gaugemc.training import (
    BetaSchedule,
    DistanceJump,
    ExpectedJump,
    ReverseKL,
    TrainingState,
    start_training,
)
from gaugemc.training.schedule import Descent

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", True)
STEPS = 100
ADAM, KEY = Descent(1e-2, STEPS), jax.random.key(3)
THEORY = strongly_correlated_gaussian()


def problems() -> Iterator[tuple[Any, TrainingState]]:
    """A loss without chains, and one with; each with the state before the first step."""
    flow = vector_flow(KEY, THEORY.space, n_layers=2, width=4)
    yield ReverseKL(THEORY, 8, BetaSchedule(1.0, STEPS)), start_training(flow, ADAM.in_jax)
    leapfrog = trainable_leapfrog(KEY, THEORY.space, n_layers=2, hidden=[4])
    jump = ExpectedJump(THEORY, (DistanceJump(),), aux_weight=0.5)
    yield jump, start_training(leapfrog, ADAM.in_jax, jump.start(leapfrog, KEY, 8))


def numbers(steps: list) -> np.ndarray:
    """All losses, and everything at the end: model, optimiser, chains."""
    leaves = jax.tree.leaves(eqx.filter(steps[-1][0], eqx.is_inexact_array))
    return np.concatenate([*(m.loss for _, m in steps), *(np.ravel(leaf) for leaf in leaves)])


for objective, start in problems():
    together = numbers(list(train_together(objective, ADAM, start, KEY, STEPS, 40)))
    alone = numbers(list(train(objective, ADAM, start, KEY, STEPS, 40)))
    if rank() == 0:
        print(type(objective).__name__, processes(), np.abs(together - alone).max())
