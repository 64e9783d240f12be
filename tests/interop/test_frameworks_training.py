"""Ten steps elsewhere are ten steps in JAX: losses, parameters, optimiser and chains."""

from types import ModuleType
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from gaugemc.flows import NCP, gauge_flow, stout_flow
from gaugemc.groups import SUN, U1
from gaugemc.samplers.l2hmc.trainable_leapfrog import trainable_leapfrog
from gaugemc.spaces import Links
from gaugemc.theories import Wilson
from gaugemc.training import (
    BetaSchedule,
    ChargeJump,
    ExpectedJump,
    FlowTrajectories,
    ForceMatch,
    GrowingBatch,
    LinkJump,
    PlaquetteJump,
    Plateau,
    ReverseKL,
    TrainingDivergedError,
    TrainingState,
    start_training,
    train,
)
from gaugemc.training.engine import in_jax
from gaugemc.training.schedule import Descent

pytestmark = pytest.mark.usefixtures("quick_compilation")

STEPS = 10
ADAM = Descent(1e-2, STEPS, warmup=3)
PLATEAUS = Descent(
    1e-2, STEPS, schedule="plateau", warmup=2, clip=0.5, plateau=Plateau(0.5, window=2, patience=1)
)
LINKS = Links(U1(), (4, 4), jnp.float64)
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


def trajectories(key: Array) -> tuple[Any, Any, Array]:
    """The jumps of a flow's trajectories."""
    model = gauge_flow(key, LINKS, NCP(), n_layers=2, hidden=[4])
    proposals = FlowTrajectories(0.3, 2)
    objective = ExpectedJump(Wilson(LINKS, 2.0), (ChargeJump(),), proposals, "plain", BETA)
    return objective, model, objective.start(model, key, 4)


def forces(key: Array) -> tuple[Any, Any, Any]:
    objective = ForceMatch(Wilson(LINKS, 3.0), 2.0)
    return objective, stout_flow(LINKS, sweeps=1, rho=0.05), objective.start(key, 2)


def matrices(key: Array) -> tuple[Any, Any, Array]:
    """In 4D SU(3): chains in complex128, parameters in float64."""
    space = Links(SUN(3), (2, 2, 2, 2), jnp.float64)
    model = trainable_leapfrog(key, space, n_layers=1, network="force")
    objective = ExpectedJump(Wilson(space, 5.7), (PlaquetteJump(), LinkJump(0.1)))
    return objective, model, objective.start(model, key, 2)


def equal(one: TrainingState, other: TrainingState, tolerance: float) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert getattr(a, "dtype", None) == getattr(b, "dtype", None)
        np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("problem", "descent"),
    [
        (growing, ADAM),
        (flow, PLATEAUS),
        (leapfrog, ADAM),
        (trajectories, ADAM),
        (forces, ADAM),
        (matrices, ADAM),
    ],
)
def test_ten_steps_are_those_of_jax(
    problem: Any, descent: Descent, key: Array, elsewhere: ModuleType
) -> None:
    """Of losses with and without chains, with batches that grow, of forces and of matrices."""
    if problem in (forces, trajectories) and elsewhere.__name__.endswith("tensorflow"):
        pytest.skip("TensorFlow has no handler of LAPACK's determinants")
    objective, model, chains = problem(key)
    start = start_training(model, descent.in_jax, chains)
    ours = list(train(objective, descent.in_jax, start, key, STEPS, 4))
    theirs = list(elsewhere.train(objective, descent, start, key, STEPS, 4))
    assert [int(state.step) for state, _ in theirs] == [int(state.step) for state, _ in ours]
    for (state, metrics), (other, others) in zip(ours, theirs):
        np.testing.assert_allclose(others.loss, metrics.loss, rtol=1e-9)
        np.testing.assert_allclose(others.gradient_norm, metrics.gradient_norm, rtol=1e-7)
        equal(state, other, 1e-8)


class Explodes(eqx.Module):
    """A loss that is not finite at one step."""

    at: int

    def __call__(self, model: Array, key: Array, step: Array) -> Array:
        noise = jax.random.normal(key, model.shape)
        return jnp.sum((model - noise) ** 2) + jnp.where(step == self.at, jnp.nan, 0.0)


def test_a_run_that_is_continued_is_the_same_run_bit_for_bit(
    key: Array, elsewhere: ModuleType
) -> None:
    start = start_training(jnp.ones(3), PLATEAUS.in_jax)
    *_, (whole, _) = elsewhere.train(Explodes(-1), PLATEAUS, start, key, STEPS, STEPS)
    parts = elsewhere.train(Explodes(-1), PLATEAUS, start, key, STEPS, 3)
    half, _ = next(parts)
    *_, (again, _) = elsewhere.train(Explodes(-1), PLATEAUS, half, key, STEPS, 3)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_each_framework_goes_on_from_the_other(key: Array, elsewhere: ModuleType) -> None:
    start = start_training(jnp.ones(3), ADAM.in_jax)
    *_, (ours, _) = in_jax(Explodes(-1), ADAM, start, key, STEPS, STEPS)
    for first, second in ((in_jax, elsewhere.train), (elsewhere.train, in_jax)):
        half, _ = next(first(Explodes(-1), ADAM, start, key, STEPS, 5))
        *_, (mixed, _) = second(Explodes(-1), ADAM, half, key, STEPS, 5)
        equal(ours, mixed, 1e-12)


def test_the_states_that_were_given_stay_as_they_are(key: Array, elsewhere: ModuleType) -> None:
    """The optimiser writes in place, into memory that is not theirs."""
    states = [start_training(jnp.ones(3), ADAM.in_jax)]
    copies = [jax.tree.map(np.array, states[0])]
    for state, _ in elsewhere.train(Explodes(-1), ADAM, states[0], key, STEPS, 4):
        states.append(state)
        copies.append(jax.tree.map(np.array, state))
    for state, copy in zip(states, copies):
        for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(copy), strict=True):
            np.testing.assert_array_equal(a, b)


def test_divergence_names_the_step(key: Array, elsewhere: ModuleType) -> None:
    start = start_training(jnp.ones(3), ADAM.in_jax)
    steps = elsewhere.train(Explodes(7), ADAM, start, key, STEPS, 5)
    assert int(next(steps)[0].step) == 5
    with pytest.raises(TrainingDivergedError, match=r"at step 7: .*learning_rate"):
        next(steps)


def test_complex_parameters_are_refused(key: Array, elsewhere: ModuleType) -> None:
    start = start_training(jnp.ones(3, complex), ADAM.in_jax)
    with pytest.raises(ValueError, match="complex"):
        next(elsewhere.train(Explodes(-1), ADAM, start, key, STEPS, 5))
