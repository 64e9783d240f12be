"""The stout flow with rectangles and chairs."""

import functools
import itertools

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
from gaugemc.flows.stout.coefficients import bounded, numbers, staples_of_kinds
from gaugemc.flows.stout.sweeps import Sweeps
from gaugemc.groups import SUN, U1
from gaugemc.lattice import chair_staples
from gaugemc.spaces import Links
from gaugemc.theories import Wilson

pytestmark = pytest.mark.usefixtures("quick_compilation")

SPACES = [Links(U1(), (4, 4, 4)), Links(SUN(2), (4, 4))]
"""SU(3) is in the tests of networks, beside rectangles."""


@pytest.fixture(params=SPACES, ids=lambda space: space.name)
def space(request: pytest.FixtureRequest) -> Links:
    return request.param


def trained(space: Links, key: Array) -> Flow:
    """A sweep whose coefficients nearly reach the bound."""
    flow = stout_flow(space, sweeps=1, rectangles=True, contraction=0.95)
    return disturbed(flow, key, 1.0)


def test_log_det_inverse_and_symmetries(space: Links, key: Array):
    """Log-det against the dense Jacobian; gauge transformations, and translations by four sites."""
    flow, z = trained(space, key), space.random(key)
    assert dense_error(flow, space, z) < 1e-10
    assert abs(float(forward(flow, z)[1])) > 0.1
    assert_undone(flow, space, z, moved=0.1)
    along = functools.partial(jnp.roll, shift=4, axis=2)
    assert_commutes(flow, space, z, (gauge_change(space, key), along))


def test_chairs_are_all_chairs_with_a_leg_at_the_link(key: Array):
    """Against walks of six steps b, a, -b, c, -a, -c, whose first step is the link."""
    space, mu = Links(U1(), (3, 4, 5, 3)), 1
    x = np.asarray(space.random(key))
    site = np.asarray([1, 3, 2, 0])
    steps = [(axis, sign) for axis in range(4) for sign in (1, -1)]
    fluxes = []
    for (b, i), (a, j), (c, k) in itertools.permutations(steps, 3):
        walk = [(b, i), (a, j), (b, -i), (c, k), (a, -j), (c, -k)]
        if (b, i) == (mu, 1) and len({a, b, c}) == 3:
            fluxes.append(flux(x, site, walk))
        turned = [*walk[2:], *walk[:2]]
        if turned[0] == (mu, 1) and len({a, b, c}) == 3:
            fluxes.append(flux(x, site, turned))
    ours = [x[(mu, *site)] + a[tuple(site)] for a in chair_staples(space.group, jnp.asarray(x), mu)]
    assert len(ours) == 8 * 3 * 2
    np.testing.assert_allclose(
        np.sort(np.exp(1j * np.asarray(ours))), np.sort(np.exp(1j * np.asarray(fluxes)))
    )


def flux(x: np.ndarray, site: np.ndarray, walk: list[tuple[int, int]]) -> float:
    """The sum of the angles along a closed walk."""
    total, at = 0.0, site.copy()
    lattice = np.asarray(x.shape[1:])
    for axis, sign in walk:
        if sign < 0:
            at[axis] -= 1
        total += sign * x[(axis, *(at % lattice))]
        if sign > 0:
            at[axis] += 1
    assert np.all(at == site)
    return total


@pytest.mark.parametrize("dimensions", [2, 3, 4])
def test_coefficients_reach_the_bound_and_stay_within(dimensions: int, key: Array):
    n = np.asarray(numbers(dimensions, rectangles=True))[:, None]
    x = Links(U1(), (4,) * dimensions).origin()
    kinds = staples_of_kinds(U1(), x, 0, rectangles=True)
    assert [[len(staples) for staples in kind] for kind in kinds] == np.tile(
        n, dimensions - 1
    ).tolist()
    weights = jax.random.normal(key, (5, len(n), dimensions - 1))
    for size, lower, upper in ((1e-3, 0, 0.1), (1, 0.5, 0.9), (1e8, 0.9 - 1e-12, 0.9 + 1e-12)):
        rho = bounded(size * weights, 0.9)
        q = np.sum(n * np.abs(rho), axis=(-2, -1))
        assert np.all((lower < q) & (q <= upper))
    np.testing.assert_allclose(bounded(1e-6 * weights, 0.9), 1e-6 * weights, rtol=1e-6)


@pytest.mark.parametrize("rho", [0.1, -0.149])
@pytest.mark.parametrize("rectangles", [False, True])
def test_untrained_coefficients_are_those_of_plaquettes(rho: float, rectangles: bool):
    flow = stout_flow(Links(SUN(2), (4, 4, 4, 4)), sweeps=1, rho=rho, rectangles=rectangles)
    found = eqx.filter_vmap(lambda sweep: sweep.rho)(flow.repeat.layers)
    np.testing.assert_allclose(found[..., 0, :], rho)
    np.testing.assert_array_equal(found[..., 1:, :], 0)


def test_rectangles_run_in_layers_also_where_plaquettes_are_compiled(key: Array):
    space = Links(SUN(2), (4, 4))
    flow = trained(space, key)
    assert isinstance(flow, Sweeps)
    assert flow.compiled_pull is None
    theory = Wilson(space, 2.0).pullback(flow)
    z = space.random(key)
    assert "gaugemc_stout" not in jax.jit(lambda z: theory.force(z)).lower(z).as_text()


@pytest.mark.parametrize(
    ("lattice", "nearest"),
    [((4, 6), r"6: \[4, 8\]"), ((2, 4), r"2: \[4\]"), ((4, 5), r"5: \[4, 8\]")],
    ids=str,
)
def test_extents_that_do_not_fit_are_refused(lattice: tuple[int, ...], nearest: str):
    with pytest.raises(ValueError, match=rf"rectangles.* multiples of 4; nearest to {nearest}"):
        stout_flow(Links(SUN(2), lattice), rectangles=True)
    with pytest.raises(ValueError, match="multiples of 4"):
        stout_flow(Links(SUN(2), (4, 4)), rectangles=True).on(lattice)


def test_same_parameters_work_on_another_lattice(key: Array):
    """On a periodic image of the lattice the flow gives the periodic image."""
    space = Links(SUN(2), (4, 4))
    flow = trained(space, key)
    z = space.random(key)
    x, log_det = forward(flow, z)
    x_large, log_det_large = forward(flow.on((8, 4)), jnp.tile(z, (1, 2, 1, 1, 1)))
    np.testing.assert_allclose(x_large, jnp.tile(x, (1, 2, 1, 1, 1)), atol=1e-13)
    assert float(log_det_large) == pytest.approx(2 * float(log_det))
