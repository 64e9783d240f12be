"""The stout flow whose coefficients come from networks of frozen loops."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from disturbed import disturbed
from jaxtyping import Array
from map_properties import assert_commutes, assert_undone, dense_error, gauge_change
from programs import forward

from gaugemc.flows import Flow, stout_flow
from gaugemc.flows.stout.network import CoefficientNetwork, frozen_traces
from gaugemc.flows.stout.stout import Stout
from gaugemc.flows.stout.sweeps import Sweeps
from gaugemc.groups import SUN, U1
from gaugemc.lattice import colours
from gaugemc.spaces import Links

pytestmark = pytest.mark.usefixtures("quick_compilation")

CASES = {
    "plaquettes": (Links(SUN(2), (4, 4)), False),
    "rectangles": (Links(SUN(3), (4, 4)), True),
    "three dimensions": (Links(U1(), (2, 2, 4)), False),
}


def trained(space: Links, key: Array, rectangles: bool) -> Flow:
    """A sweep whose coefficients nearly reach the bound."""
    options = {"contraction": 0.95, "hidden": (4,), "key": key, "rectangles": rectangles}
    return disturbed(stout_flow(space, sweeps=1, **options), key, 1.0)


@pytest.mark.parametrize("case", CASES)
def test_log_det_inverse_and_symmetries(case: str, key: Array):
    """Log-det against the dense Jacobian; gauge transformations, and translations by four sites."""
    space, rectangles = CASES[case]
    flow, z = trained(space, key, rectangles), space.random(key)
    assert dense_error(flow, space, z) < 1e-10
    assert abs(float(forward(flow, z)[1])) > 0.1
    assert_undone(flow, space, z, moved=0.1)
    step = 4 if rectangles else 2
    along = functools.partial(jnp.roll, shift=step, axis=len(space.lattice))
    assert_commutes(flow, space, z, (gauge_change(space, key), along))


@pytest.mark.parametrize("period", [2, 4])
def test_networks_read_frozen_loops_and_all_that_there_are(period: int, key: Array):
    """Moving links change no trace; each of the other links changes some."""
    space, mu, colour = Links(U1(), (4, 4, 4)), 1, 1
    z = space.random(key)
    moving = np.zeros(z.shape, bool)
    moving[mu] = colours(space.lattice, mu, period) == colour
    traces = jax.jit(lambda z: frozen_traces(space.group, z, mu, period, jnp.asarray(colour)))
    slopes = np.asarray(jax.jacrev(traces)(z))
    assert len(slopes) == {2: 3, 4: 5}[period]
    changes = np.any(slopes != 0, axis=(0, 1, 2, 3))
    np.testing.assert_array_equal(changes, ~moving)


def test_an_untrained_network_changes_nothing(key: Array):
    space = Links(SUN(2), (4, 4))
    z = space.random(key)
    constant, network = (stout_flow(space, sweeps=1, rho=0.1, key=k) for k in (None, key))
    for ours, theirs in zip(forward(constant, z), forward(network, z)):
        np.testing.assert_allclose(ours, theirs, atol=1e-13)
    assert isinstance(network, Sweeps)
    assert network.compiled_pull is None


def test_coefficients_of_links_differ_and_stay_within_the_bound(key: Array):
    space = Links(SUN(2), (4, 4))
    network = disturbed(CoefficientNetwork(key, space, 2, 1, hidden=(4,)), key, 0.3)
    layer = Stout(space, 0, jnp.asarray(1), jnp.zeros((1, 1)), 0.95, network)
    rho = np.asarray(layer.rho_of_links(space.random(key)))
    assert rho.shape == (4, 4, 1, 1)
    assert rho.std() > 0.01
    large = eqx.tree_at(lambda layer: layer.weights, layer, jnp.full((1, 1), 1e3))
    assert np.all(2 * np.abs(large.rho_of_links(space.random(key))) <= 0.95)


def test_networks_work_on_another_lattice(key: Array):
    """From 2^4 to 4^4: on a periodic image of the lattice the flow gives the periodic image."""
    space = Links(U1(), (2, 2, 2, 2))
    flow = trained(space, key, rectangles=False)
    z = space.random(key)
    x, log_det = forward(flow, z)
    x_large, log_det_large = forward(flow.on((4, 4, 4, 4)), jnp.tile(z, (1, 2, 2, 2, 2)))
    np.testing.assert_allclose(x_large, jnp.tile(x, (1, 2, 2, 2, 2)), atol=1e-12)
    assert float(log_det_large) == pytest.approx(16 * float(log_det))
