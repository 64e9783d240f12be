"""Training for the forces of a smaller coupling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from gaugemc.flows import stout_flow
from gaugemc.groups import SUN, U1
from gaugemc.spaces import Links
from gaugemc.theories import Gaussian, Wilson
from gaugemc.training import ForceMatch, optimiser, start_training, train


def test_forces_of_the_same_coupling_match_without_a_flow(key: Array) -> None:
    """And without a flow the force at 2 beta is twice the force."""
    space = Links(SUN(2), (4, 4), jnp.float64)
    flow = stout_flow(space, sweeps=1)
    same, double = ForceMatch(Wilson(space, 2.0), 2.0), ForceMatch(Wilson(space, 4.0), 2.0)
    states = same.start(key, 3)
    loss, after = same(flow, key, jnp.asarray(0), states)
    assert abs(float(loss)) < 1e-12
    assert float(jnp.max(jnp.abs(after.x - states.x))) > 0.1  # the chains run on
    squares = jax.vmap(lambda x: space.square(Wilson(space, 2.0).force(x)))(after.x)
    norms = [jnp.mean(squares ** (p / 2), axis=(1, 2, 3)) ** (1 / p) for p in (2, 4, 8)]
    loss = double(flow, key, jnp.asarray(0), states)[0]
    np.testing.assert_allclose(float(loss), float(jnp.mean(jnp.stack(norms))), rtol=1e-6)


@pytest.mark.parametrize("group", [U1(), SUN(2)], ids=lambda g: g.name)
def test_training_brings_forces_nearer(group: U1 | SUN, key: Array) -> None:
    space = Links(group, (4, 4), jnp.float64)
    objective, steps = ForceMatch(Wilson(space, 3.0), 2.0), 40
    adam = optimiser(0.03, steps, warmup=5)
    state = start_training(stout_flow(space, sweeps=1), adam, objective.start(key, 16))
    ((state, metrics),) = train(objective, adam, state, key, steps, steps)
    assert metrics.loss[-5:].mean() < 0.8 * metrics.loss[:5].mean()


def test_needs_a_heatbath() -> None:
    with pytest.raises(ValueError, match="heatbath"):
        ForceMatch(Gaussian(jnp.zeros(2), jnp.eye(2)), 0.5)
