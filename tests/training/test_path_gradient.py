"""Path gradients: no variance at q = p, the right mean elsewhere; derivatives of inverses."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest
from disturbed import disturbed
from jaxtyping import Array

from gaugemc.flows import NCP, Flow, gauge_flow, multiscale_flow, pair_flow
from gaugemc.groups import U1
from gaugemc.spaces import Links
from gaugemc.theories import Wilson
from gaugemc.training import BetaSchedule, PathGradient, ReverseKL

SPACE = Links(U1(), (4, 4), jnp.float64)

NAMES = ["pair", *(pytest.param(n, marks=pytest.mark.slow) for n in ("ncp", "multiscale"))]
FLOWS: dict[str, Callable[[Array], Flow]] = {
    "ncp": lambda key: gauge_flow(key, SPACE, NCP(), n_layers=2, hidden=[4]),
    "pair": lambda key: pair_flow(key, SPACE, n_layers=2, hidden=[4]),
    "multiscale": lambda key: multiscale_flow(SPACE),
}


class Density(Wilson):
    """The theory whose density is that of a flow, whatever beta is."""

    flow: Flow

    def action(self, x: Array) -> Array:
        z, log_det = self.flow.inverse(x)
        return -self.space.log_reference(z) - log_det


def gradients(objective: type, theory: Wilson, flow: Flow, key: Array, draws: int) -> Array:
    """The gradient of each draw with respect to all parameters, of shape [draw, parameter]."""
    one = objective(theory, 1, BetaSchedule(theory.beta, 1, "none"))
    parameters, static = eqx.partition(flow, eqx.is_inexact_array)

    @jax.jit
    @jax.vmap
    def of_draw(key: Array) -> Array:
        def loss(parameters: Flow) -> Array:
            return one(eqx.combine(parameters, static), key, jnp.zeros((), jnp.int32))

        return jax.flatten_util.ravel_pytree(jax.grad(loss)(parameters))[0]

    return of_draw(jax.random.split(key, draws))


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_single_draws_vanish_where_the_flow_is_exact(name: str, key: Array):
    flow = disturbed(FLOWS[name](key), key)
    theory = Density(SPACE, 1.0, flow)
    path = gradients(PathGradient, theory, flow, key, 2)
    with_score = gradients(ReverseKL, theory, flow, key, 2)
    assert float(jnp.max(jnp.abs(path))) < 1e-8
    assert float(jnp.max(jnp.abs(with_score))) > 1e-2


@pytest.mark.parametrize("name", NAMES)
def test_the_mean_gradient_is_that_of_the_reverse_divergence(name: str, key: Array):
    """Along the gradients of other draws, on the same draws: each within 4.5 errors.

    False alarm 3e-5.
    """
    flow = disturbed(FLOWS[name](key), key)
    theory = Wilson(SPACE, 1.5)
    path = gradients(PathGradient, theory, flow, key, 1000)
    with_score = gradients(ReverseKL, theory, flow, key, 1000)
    others = gradients(ReverseKL, theory, flow, jax.random.fold_in(key, 1), 500)
    directions = others.reshape(5, 100, -1).mean(axis=1).T
    difference = np.asarray((path - with_score) @ directions)
    error = difference.std(axis=0) / np.sqrt(len(difference))
    assert np.all(np.abs(difference.mean(axis=0)) < 4.5 * error)
    mean = np.asarray(with_score @ directions).mean(axis=0)
    assert np.max(np.abs(mean) / error) > 20  # a gradient of zero, or of twice the size, would fail


def test_values_are_those_of_the_reverse_divergence(key: Array):
    flow = disturbed(FLOWS["pair"](key), key)
    beta = BetaSchedule(1.5, 10)
    losses = [
        objective(Wilson(SPACE, 1.5), 8, beta)(flow, key, jnp.asarray(2))
        for objective in (PathGradient, ReverseKL)
    ]
    assert float(losses[0]) == pytest.approx(float(losses[1]), abs=1e-8)


def test_inverses_of_circle_maps_are_differentiated(key: Array):
    """With respect to the angle and the parameters, against finite differences."""
    circle = NCP()
    parameters = jax.random.normal(key, (circle.n_parameters,), jnp.float64)

    def inverse(variables: Array) -> Array:
        return jnp.stack(circle.inverse(variables[0], variables[1:]))

    variables = jnp.concatenate([jnp.asarray([0.7]), parameters])
    steps = 1e-5 * jnp.eye(len(variables))
    central = [(inverse(variables + h) - inverse(variables - h)) / 2e-5 for h in steps]
    expected = np.stack(central, axis=1)
    np.testing.assert_allclose(jax.jacrev(inverse)(variables), expected, atol=1e-8)
    np.testing.assert_allclose(jax.jacfwd(inverse)(variables), expected, atol=1e-8)


def test_inverses_of_splits_are_differentiated(key: Array):
    table = disturbed(multiscale_flow(SPACE), key).splits[1, 2].table()
    angle, flux = jnp.asarray(0.4), jnp.asarray(1.9)
    slopes = jax.grad(lambda a: table.inverse(a, flux)[0])(angle)
    assert float(slopes) == pytest.approx(float(jnp.exp(-table.inverse(angle, flux)[1])))
