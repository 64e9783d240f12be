"""The stout flow: masks, Jacobian, inverse, symmetries, and HMC in its variables."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from disturbed import disturbed
from jaxtyping import Array
from map_properties import assert_commutes, assert_undone, dense_error, gauge_change
from programs import forward, inverse

import gaugemc as gm
from gaugemc.checks.tangent import gradient_error, real
from gaugemc.flows import Flow, Stout, stout_flow
from gaugemc.flows.stout.link import exponent, log_det, slope, stout, unstout
from gaugemc.groups import SUN, U1, Group
from gaugemc.lattice import colours, of_colour, with_colour
from gaugemc.samplers import HMC
from gaugemc.spaces import Links
from gaugemc.theories import Wilson

pytestmark = pytest.mark.usefixtures("quick_compilation")

SPACES = [
    Links(U1(), (2, 4)),
    Links(SUN(2), (2, 4)),
    Links(SUN(3), (2, 4)),
    Links(SUN(2), (2, 2, 2, 2)),
]
NEAR_THE_BOUND = 0.95


@pytest.fixture(params=SPACES, ids=lambda space: space.name)
def space(request: pytest.FixtureRequest) -> Links:
    return request.param


def trained(space: Links, key: Array, sweeps: int = 1) -> Flow:
    """A flow whose coefficients are all over their range, most of them near its ends."""
    return disturbed(stout_flow(space, sweeps=sweeps, contraction=NEAR_THE_BOUND), key, 1.0)


def test_log_det_is_that_of_the_dense_autodiff_jacobian(space: Links, key: Array):
    flow, z = trained(space, key), space.random(key)
    assert dense_error(flow, space, z) < 1e-11
    assert abs(float(forward(flow, z)[1])) > 0.1


def test_inverse_undoes_forward_to_rounding(space: Links, key: Array):
    assert_undone(trained(space, key), space, space.random(key), moved=0.1)


@pytest.mark.parametrize("direction", [0, 1, 2])
@pytest.mark.parametrize("rectangles", [False, True])
def test_a_layer_moves_its_links_and_each_depends_on_no_other_of_them(
    direction: int, rectangles: bool, key: Array
):
    """Columns of the dense Jacobian in U(1)."""
    space = Links(U1(), (4, 4, 4) if rectangles else (2, 2, 4, 2))
    period, kinds = (4, 4) if rectangles else (2, 1)
    weights = jax.random.normal(key, (kinds, len(space.lattice) - 1))

    @jax.jit
    def columns(colour: Array, z: Array, along: Array) -> tuple[Array, Array]:
        layer = Stout(space, direction, colour, weights, 0.9)
        x, derivative = jax.linearize(lambda z: layer.forward(z)[0], z)
        return x, jax.vmap(derivative)(along)

    z = space.random(key)
    for colour in range(period):
        moving = np.zeros(z.shape, bool)
        moving[direction] = colours(space.lattice, direction, period) == colour
        basis = np.eye(z.size)[moving.ravel()].reshape(-1, *z.shape)
        x, along = columns(jnp.asarray(colour), z, jnp.asarray(basis))
        np.testing.assert_array_equal(np.asarray(x != z), moving)
        block = np.asarray(along)[:, moving]
        np.testing.assert_array_equal(block, np.diag(np.diag(block)))
        assert np.all(np.diag(block) != 1)
        assert not np.any(np.asarray(along)[:, ~moving])


@pytest.mark.parametrize("period", [2, 4])
@pytest.mark.parametrize("mu", [0, 1, 2])
def test_sites_of_one_colour_are_taken_and_put_back(mu: int, period: int, key: Array):
    lattice = (4, 8, 12)
    field = jax.random.normal(key, (*lattice, 2))
    of_it = colours(lattice, mu, period) == 1
    part = of_colour(field, lattice, mu, period, 1)
    assert part.size == field.size // period
    np.testing.assert_array_equal(np.sort(part.ravel()), np.sort(np.asarray(field)[of_it].ravel()))
    moved = with_colour(field, lattice, mu, period, 1, part + 1)
    np.testing.assert_array_equal(moved, np.where(of_it[..., None], field + 1, field))


def test_flow_commutes_with_gauge_transformations_and_even_translations(space: Links, key: Array):
    d = len(space.lattice)
    along_diagonal = ((1, 1, *[0] * (d - 2)), tuple(range(1, 1 + d)))
    changes = (
        gauge_change(space, key),
        lambda field: jnp.roll(field, 2, axis=2),
        lambda field: jnp.roll(field, *along_diagonal),
    )
    assert_commutes(trained(space, key), space, space.random(key), changes)


def test_an_untrained_flow_is_the_identity_and_ft_hmc_on_it_is_hmc(space: Links, key: Array):
    flow = stout_flow(space)
    z = space.random(key)
    x, log_det = forward(flow, z)
    assert float(space.distance(z, x)) < 1e-14
    assert float(log_det) == pytest.approx(0, abs=1e-12)
    theory = Wilson(space, 2.0)
    force = theory.pullback(flow).force(z)
    np.testing.assert_allclose(force, theory.force(z), atol=1e-12)


def test_a_layer_lowers_the_action_where_rho_is_positive(space: Links, key: Array):
    """Smearing: with the sign of hep-lat/0311018."""
    z = space.random(key)
    action = Wilson(space, 1.0).action
    flow = stout_flow(space, sweeps=1, rho=0.1)
    assert float(action(forward(flow, z)[0])) < float(action(z)) - 1


@pytest.mark.parametrize("space", [SPACES[0], SPACES[2]], ids=lambda space: space.name)
def test_force_of_ft_hmc_is_the_derivative_of_its_action(space: Links, key: Array):
    pulled_back = Wilson(space, 2.0).pullback(trained(space, key))
    assert float(gradient_error(space, pulled_back.action, pulled_back.force, key, 2)) < 1e-7


def difference(f: Callable[[Array], Array], h: float = 1e-4) -> Array:
    """f'(0), to fourth order in h."""
    f1, f2 = (f(jnp.asarray(k * h)) - f(jnp.asarray(-k * h)) for k in (1, 2))
    return (8 * f1 - f2) / (12 * h)


@pytest.mark.parametrize("group", [U1(), SUN(2), SUN(3), SUN(4)], ids=lambda g: g.name)
class TestLink:
    """One link with staples of total weight 0.97."""

    def setting(self, group: Group, key: Array) -> tuple[Array, Array]:
        dtype = group.dtype(jnp.float64)
        u, *staples = group.random(key, (4, 5), dtype)
        return u, group.sum_staples(staples, jnp.asarray(0.97 / 3))

    def test_log_det_is_that_of_the_derivative(self, group: Group, key: Array):
        """Of the components of dx x^-1, where x = exp(A(u)) u and du = X u."""
        u, staples = self.setting(group, key)
        x = stout(group, u, staples)

        def components(c: Array) -> Array:
            near = group.multiply(group.exp(group.element(c)), u)
            ratio = group.multiply(stout(group, near, staples), group.adjoint(x))
            return group.components(group.unit_beta * group.trace_gradient(ratio))

        zero = jnp.zeros_like(group.components(exponent(group, u, staples)))
        dense = jax.jacfwd(components)(zero)
        dense = np.moveaxis(np.diagonal(dense, axis1=0, axis2=2), -1, 0)
        found = log_det(slope(group, u, staples))
        np.testing.assert_allclose(found, np.linalg.slogdet(dense)[1], atol=1e-12)

    def test_derivatives_of_log_det(self, group: Group, key: Array):
        """Along a random matrix: finite differences, also of the derivative itself."""
        n = slope(group, *self.setting(group, key))
        dn = jax.random.normal(key, n.shape)

        def along(t: Array) -> Array:
            return log_det(n + t * dn)

        def first(t: Array) -> Array:
            return jax.jvp(along, (t,), (jnp.ones(()),))[1]

        zero, one = jnp.zeros(()), jnp.ones(())
        np.testing.assert_allclose(first(zero), difference(along), rtol=1e-7, atol=1e-7)
        second = jax.jit(lambda t: jax.jvp(first, (t,), (one,))[1])(zero)
        np.testing.assert_allclose(second, difference(jax.jit(first)), rtol=1e-6, atol=1e-6)

    def test_derivative_of_the_inverse(self, group: Group, key: Array):
        """Along a curve of x and staples: the implicit function rule against finite differences."""
        u, staples = self.setting(group, key)
        x_key, s_key = jax.random.split(key)
        v = group.random_algebra(x_key, (5,), u.dtype)
        ds = 0.003 * jax.random.normal(s_key, staples.shape, staples.dtype)

        @jax.jit
        def along(t: Array) -> Array:
            x = group.multiply(group.exp(t * v), stout(group, u, staples))
            return real(unstout(group, 0.98, x, staples + t * ds))

        @jax.jit
        def first(t: Array) -> Array:
            return jax.jvp(along, (t,), (jnp.ones(()),))[1]

        zero = jnp.zeros(())
        np.testing.assert_allclose(first(zero), difference(along), rtol=1e-7, atol=1e-7)

    def test_an_inverse_that_cannot_converge_says_so(self, group: Group, key: Array):
        u, staples = self.setting(group, key)
        with pytest.raises(Exception, match="stout layer did not converge"):
            jax.block_until_ready(unstout(group, 0.9, u, staples * jnp.nan))


def test_float32_keeps_links_in_their_group_and_comes_back(key: Array):
    space = Links(SUN(3), (4, 4), jnp.float32)
    flow = trained(space, key, sweeps=2)
    z = space.random(key)
    x, log_det = forward(flow, z)
    again, _ = inverse(flow, x)
    assert (x.dtype, log_det.dtype) == (jnp.complex64, jnp.float64)
    assert float(space.distance(x, space.project(x))) < 1e-6
    assert float(space.distance(z, again)) < 1e-3


def test_same_parameters_work_on_another_lattice(key: Array):
    """Volume transfer: on a periodic image of the lattice the flow gives the periodic image."""
    space = Links(SUN(2), (4, 4))
    flow = trained(space, key)
    z = space.random(key)
    x, log_det = forward(flow, z)
    large = flow.on((8, 4))
    assert large.space == Links(SUN(2), (8, 4))
    x_large, log_det_large = forward(large, jnp.tile(z, (1, 2, 1, 1, 1)))
    np.testing.assert_allclose(x_large, jnp.tile(x, (1, 2, 1, 1, 1)), atol=1e-13)
    assert float(log_det_large) == pytest.approx(2 * float(log_det))


def test_ft_hmc_finds_the_exact_plaquette(key: Array):
    theory = Wilson(Links(SUN(2), (4, 4)), 2.0)
    flow = stout_flow(theory.space, sweeps=1, rho=0.15)
    sampler = HMC(theory.pullback(flow), 0.25, 4)
    draws = gm.sample(sampler, key, chains=32, draws=100, warmup=30).draws
    assert 0.5 < draws.info.acceptance.mean() < 0.999
    estimate = gm.estimate(draws.observables["plaquette"])
    exact = gm.exact_observables(theory)["plaquette"]
    for z in (
        gm.z_score(gm.estimate(np.exp(-draws.info.delta_h)), 1.0),
        gm.z_score(estimate, exact),
    ):
        assert z is not None
        assert abs(z) < 4
    assert estimate.error < 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sweeps": 0}, "sweeps 0"),
        ({"contraction": 1.0}, "contraction 1.0: must lie between 0 and 1"),
        ({"rho": 0.45}, "rho 0.45: must be below 0.45, which is contraction=0.9 over 2"),
        ({"rho": float("nan")}, "rho nan"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(options: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        stout_flow(Links(SUN(2), (4, 4)), **options)


def test_odd_extents_are_refused():
    with pytest.raises(ValueError, match=r"lattice \[4, 5\].*even extents; nearest to 5: \[4, 6\]"):
        stout_flow(Links(SUN(2), (4, 5)))
    with pytest.raises(ValueError, match=r"lattice \[3, 4\]"):
        stout_flow(Links(SUN(2), (4, 4))).on((3, 4))
