"""Training for small energy errors: Gauss and Newton's steps at a fixed length."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

from gaugemc.groups import SUN
from gaugemc.samplers import L2HMC, GeneralisedLeapfrog, trainable_leapfrog
from gaugemc.spaces import Links
from gaugemc.theories import Gaussian, Wilson
from gaugemc.training import EnergyError, fit
from gaugemc.training.energy_error import descent

pytestmark = pytest.mark.usefixtures("quick_compilation")

THEORY = Wilson(Links(SUN(2), (4, 4)), 3.0)


def leapfrog(key: Array, keep_length: bool = True, n_layers: int = 5) -> GeneralisedLeapfrog:
    """Trained couplings that begin as an integrator of fourth order."""
    return trainable_leapfrog(
        key,
        THEORY.space,
        n_layers=n_layers,
        step_size=0.2,
        network="force",
        integrator="omf4",
        keep_length=keep_length,
    )


def test_training_makes_energy_errors_small(key: Array) -> None:
    """Half of what the best integrator of fourth order leaves, at the same length and cost."""
    start = leapfrog(key)
    found = fit(start, THEORY, key, steps=120, batch=32)
    model = found.model
    before, after = found.metrics.loss[:5].mean(), found.metrics.loss[-20:].mean()
    assert after < before / 4
    assert float(jnp.sum(model.step_sizes)) == pytest.approx(5 * 0.2)
    assert not eqx.tree_equal(model.turn, start.turn)
    objective = EnergyError(THEORY)
    state = objective.start(model, key, 256)
    sampler = L2HMC(THEORY, model)
    v = jax.vmap(THEORY.space.random_momentum)(jax.random.split(key, 256))

    @eqx.filter_jit
    def errors(x: Array, v: Array) -> Array:
        return jax.vmap(lambda x, v: sampler.propose(sampler.state(x), v, jnp.asarray(True))[1])(
            x, v
        )

    fresh = np.mean(np.asarray(errors(state.x, v)) ** 2) / 2
    assert fresh < before / 3


def test_the_gradient_is_the_step(key: Array) -> None:
    """Descent with rate 1 takes the whole step; the chains run on; the curvature is kept."""
    model, objective = leapfrog(key), EnergyError(THEORY)
    state = objective.start(model, key, 32)
    arrays, static = eqx.partition(model, eqx.is_inexact_array)

    @jax.jit
    def losses(arrays):
        return jax.value_and_grad(
            lambda a: objective(eqx.combine(a, static), key, jnp.asarray(0), state), has_aux=True
        )(arrays)

    (loss, after), gradient = losses(arrays)
    assert float(loss) > 0
    assert float(jnp.max(jnp.abs(after.x - state.x))) > 0.1
    assert float(after.weight) == 1
    step = ravel_pytree(gradient)[0]
    change = float(step @ after.curvature @ step)
    assert 0 < change <= 2 * float(loss) * 1.01  # no more than dH is there to take away


def test_least_squares_are_solved_in_one_step(key: Array) -> None:
    """Of a linear problem with scales from 1e-3 to 1e3; damping leaves 1e-4 of it at most."""
    keys = jax.random.split(key, 2)
    slopes = jax.random.normal(keys[0], (40, 4)) * jnp.logspace(-3, 3, 4)
    true = jax.random.normal(keys[1], (4,)) / jnp.logspace(-3, 3, 4) / 10
    step = descent(slopes.T @ slopes / 40, slopes.T @ (slopes @ true) / 40)
    np.testing.assert_allclose(step, true, rtol=1e-3)
    large = descent(slopes.T @ slopes / 40, slopes.T @ (slopes @ true) / 40 * 1e3)
    np.testing.assert_allclose(large, 1e3 / 4 * true, rtol=1e-3)  # a quarter, where it is far


def test_draws_that_are_not_numbers_do_not_count(key: Array) -> None:
    model, objective = leapfrog(key), EnergyError(THEORY)
    state = objective.start(model, key, 8)
    broken = state._replace(x=state.x.at[0].set(jnp.nan))
    loss, after = eqx.filter_jit(objective)(model, key, jnp.asarray(0), broken)
    assert np.isfinite(float(loss))
    assert np.isfinite(np.asarray(after.curvature)).all()
    nothing = state._replace(x=state.x * jnp.nan)
    assert np.isnan(float(eqx.filter_jit(objective)(model, key, jnp.asarray(0), nothing)[0]))


def test_what_cannot_be_trained_so_is_refused(key: Array) -> None:
    with pytest.raises(ValueError, match="must keep its length"):
        EnergyError(THEORY).start(leapfrog(key, keep_length=False), key, 2)
    gaussian = Gaussian(jnp.zeros(40), jnp.eye(40))
    large = trainable_leapfrog(
        key, gaussian.space, n_layers=2, network="dense", hidden=(32,), keep_length=True
    )
    with pytest.raises(ValueError, match=r"parameters, at most 1000"):
        EnergyError(gaussian).start(large, key, 2)
