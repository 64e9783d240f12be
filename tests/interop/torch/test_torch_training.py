"""Ten steps in PyTorch are ten steps in JAX: losses, parameters, optimiser and chains."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from gaugemc.flows import NCP, gauge_flow, stout_flow
from gaugemc.groups import SUN, U1
from gaugemc.interop import torch as in_torch
from gaugemc.samplers.l2hmc.trainable_leapfrog import trainable_leapfrog
from gaugemc.spaces import Links
from gaugemc.theories import Wilson
from gaugemc.training import (
    BetaSchedule,
    ChargeJump,
    ExpectedJump,
    ForceMatch,
    GrowingBatch,
    PlaquetteJump,
    Plateau,
    ReverseKL,
    TrainingState,
    start_training,
    train,
)
from gaugemc.training.schedule import Adam

pytestmark = pytest.mark.usefixtures("quick_compilation")

STEPS = 10
ADAM = Adam(1e-2, STEPS, warmup=3)
PLATEAUS = Adam(
    1e-2, STEPS, schedule="plateau", warmup=2, clip=0.5, plateau=Plateau(0.5, window=2, patience=1)
)
LINKS = Links(U1(), (4, 4), jnp.float64)
MATRICES = Links(SUN(3), (2, 2, 2, 2), jnp.float64)
BETA = BetaSchedule(2.0, STEPS)


def flow(key: Array) -> tuple[Any, Any, None]:
    objective = ReverseKL(Wilson(LINKS, 2.0), 8, BETA)
    return objective, gauge_flow(key, LINKS, NCP(), n_layers=2, hidden=[4]), None


def growing(key: Array) -> tuple[Any, Any, None]:
    objective, model, _ = flow(key)
    return GrowingBatch(objective, 1, STEPS), model, None


def leapfrog(key: Array) -> tuple[Any, Any, Array]:
    model = trainable_leapfrog(key, LINKS, n_layers=2, hidden=[4])
    jumps = (ChargeJump(), PlaquetteJump())
    objective = ExpectedJump(Wilson(LINKS, 2.0), jumps, beta=BETA, aux_weight=0.5)
    return objective, model, objective.start(model, key, 4)


def forces(key: Array) -> tuple[Any, Any, Any]:
    objective = ForceMatch(Wilson(MATRICES, 5.7), 5.0)
    return objective, stout_flow(MATRICES, sweeps=1, rho=0.05), objective.start(key, 2)


def equal(one: TrainingState, other: TrainingState, tolerance: float) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert getattr(a, "dtype", None) == getattr(b, "dtype", None)
        np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("adam", [ADAM, PLATEAUS], ids=["cosine", "plateau"])
@pytest.mark.parametrize("problem", [flow, growing, leapfrog, forces])
def test_ten_steps_are_those_of_jax(problem: Any, adam: Adam, key: Array) -> None:
    objective, model, chains = problem(key)
    start = start_training(model, adam.in_jax, chains)
    ours = list(train(objective, adam.in_jax, start, key, STEPS, 4))
    theirs = list(in_torch.train(objective, adam, start, key, STEPS, 4))
    assert [int(state.step) for state, _ in theirs] == [int(state.step) for state, _ in ours]
    for (state, metrics), (other, others) in zip(ours, theirs):
        np.testing.assert_allclose(others.loss, metrics.loss, rtol=1e-9)
        np.testing.assert_allclose(others.gradient_norm, metrics.gradient_norm, rtol=1e-7)
        equal(state, other, 1e-8)
