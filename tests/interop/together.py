"""What each process does in tests of several processes, which a launcher starts.

    python together.py FRAMEWORK BACKEND ZERO:DTYPE:PROBLEM ...

Trains a hundred steps together, then alone. Prints how much the two differ.
"""

import dataclasses
import sys
from typing import Any

import equinox as eqx
import jax
import numpy as np

from gaugemc.choices.frameworks import processes, rank
from gaugemc.choices.settings import Settings
from gaugemc.flows import vector_flow
from gaugemc.interop import engine_of
from gaugemc.samplers import trainable_leapfrog
from gaugemc.theories import Theory
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


def flow(theory: Theory) -> tuple[Any, TrainingState]:
    """A loss without chains, and the state before the first step."""
    model = vector_flow(KEY, theory.space, n_layers=2, width=4)
    return ReverseKL(theory, 8, BetaSchedule(1.0, STEPS)), start_training(model, ADAM.in_jax)


def leapfrog(theory: Theory) -> tuple[Any, TrainingState]:
    """A loss with chains."""
    model = trainable_leapfrog(KEY, theory.space, n_layers=2, hidden=[4])
    jump = ExpectedJump(theory, (DistanceJump(),), aux_weight=0.5)
    return jump, start_training(model, ADAM.in_jax, jump.start(model, KEY, 8))


def numbers(steps: list) -> np.ndarray:
    """All losses, and everything at the end: model, optimiser, chains."""
    leaves = jax.tree.leaves(eqx.filter(steps[-1][0], eqx.is_inexact_array))
    return np.concatenate([*(m.loss for _, m in steps), *(np.ravel(leaf) for leaf in leaves)])


framework, backend, *cases = sys.argv[1:]
for case in cases:
    zero, dtype, problem = case.split(":")
    objective, start = {"flow": flow, "leapfrog": leapfrog}[problem](
        strongly_correlated_gaussian(dtype)
    )
    together = Settings(framework=framework, backend=backend, zero=int(zero))
    ours, theirs = (
        numbers(list(engine_of(settings).train(objective, ADAM, start, KEY, STEPS, 40)))
        for settings in (together, dataclasses.replace(together, backend="none"))
    )
    if rank() == 0:
        print(case, processes(), np.abs(ours - theirs).max(), flush=True)
