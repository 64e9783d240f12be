"""The mean over the shares of a batch is the loss of the whole batch."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from gaugemc.flows import Chain, multiscale_flow, vector_flow
from gaugemc.groups import U1
from gaugemc.samplers import trainable_leapfrog
from gaugemc.spaces import Links
from gaugemc.theories import Wilson
from gaugemc.theories.toys import strongly_correlated_gaussian
from gaugemc.training import (
    BetaSchedule,
    DistanceJump,
    ExpectedJump,
    ForceMatch,
    PathGradient,
    ReverseKL,
    SymmetricKL,
)
from gaugemc.training.share import Share, shared
from gaugemc.training.train import loss_at

pytestmark = pytest.mark.usefixtures("quick_compilation")
TOY, BATCH, PARTS = strongly_correlated_gaussian(), 6, 2
BETA = BetaSchedule(1.0, 10)


def divergence(key: Array) -> tuple[Any, Any, Any]:
    return ReverseKL(TOY, BATCH, BETA), vector_flow(key, TOY.space, n_layers=2, width=4), None


def path(key: Array) -> tuple[Any, Any, Any]:
    return PathGradient(TOY, BATCH, BETA), vector_flow(key, TOY.space, n_layers=2, width=4), None


def symmetric(key: Array) -> tuple[Any, Any, Any]:
    theory = Wilson(Links(U1(), (4, 4), jnp.float64), 2.0)
    objective = SymmetricKL(theory, BATCH)
    return objective, multiscale_flow(theory.space), objective.start(key, BATCH)


def jump(key: Array) -> tuple[Any, Any, Any]:
    leapfrog = trainable_leapfrog(key, TOY.space, n_layers=1, hidden=[4])
    objective = ExpectedJump(TOY, (DistanceJump(),), aux_weight=0.5)
    return objective, leapfrog, objective.start(leapfrog, key, BATCH)


def forces(key: Array) -> tuple[Any, Any, Any]:
    links = Links(U1(), (4, 4), jnp.float64)
    objective = ForceMatch(Wilson(links, 3.0), 2.0)
    start = jax.vmap(objective.source.init)(jax.random.split(key, BATCH))
    return objective, Chain(()), start


@pytest.mark.parametrize("problem", [divergence, path, symmetric, jump, forces])
def test_shares_make_the_whole(problem: Any, key: Array) -> None:
    """Of the loss, and of the chains after it."""
    objective, model, chains = problem(key)
    compiled = eqx.filter_jit(loss_at)
    whole, moved = compiled(objective, model, key, jnp.int32(2), chains)
    shares = [Share(index, PARTS) for index in range(PARTS)]
    parts = [
        compiled(shared(objective, s), model, key, jnp.int32(2), jax.tree.map(s.of, chains))
        for s in shares
    ]
    losses = [float(loss) for loss, _ in parts]
    assert np.std(losses) > 0
    np.testing.assert_allclose(np.mean(losses), whole, rtol=1e-12)
    joined = jax.tree.map(lambda *states: jnp.concatenate(states), *(part[1] for part in parts))
    for a, b in zip(jax.tree.leaves(joined), jax.tree.leaves(moved), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
