"""Loops of links and their behaviour under gauge transformations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.groups import SUN, U1, Group
from gaugemc.lattice import (
    gauge_transform,
    plane_plaquettes,
    planes,
    plaquettes,
    polyakov_loops,
    shift,
    wilson_loops,
)

CASES = [(U1(), (4, 3)), (SUN(2), (4, 3)), (SUN(3), (2, 3, 4)), (U1(), (2, 3, 2, 3))]
Case = tuple[Group, jax.Array, jax.Array]


@pytest.fixture(params=CASES, ids=lambda c: f"{len(c[1])}D-{c[0].name}")
def case(request: pytest.FixtureRequest, key: jax.Array) -> Case:
    """A group, random links and a random gauge transformation."""
    group, lattice = request.param
    links_key, omega_key = jax.random.split(key)
    dtype = group.dtype(jnp.float64)
    links = group.random(links_key, (len(lattice), *lattice), dtype)
    return group, links, group.random(omega_key, lattice, dtype)


def assert_equal(group: Group, a: jax.Array, b: jax.Array) -> None:
    """Equality of group elements; of angles, modulo 2 pi."""
    assert a.shape == b.shape
    if isinstance(group, U1):
        a, b = jnp.exp(1j * a), jnp.exp(1j * b)
    np.testing.assert_allclose(a, b, atol=1e-13)


def conjugate(group: Group, omega: jax.Array, loop: jax.Array) -> jax.Array:
    return group.multiply(group.multiply(omega, loop), group.adjoint(omega))


def test_shift_looks_forward() -> None:
    field = jnp.arange(12).reshape(3, 4)
    assert int(shift(field, 0)[0, 2]) == int(field[1, 2])
    assert int(shift(field, 1, -1)[0, 0]) == int(field[0, 3])
    assert int(shift(field, 1, 2)[2, 3]) == int(field[2, 1])


def test_plaquette_by_hand(case: Case) -> None:
    """At one site next to the boundary, link by link, in every plane."""
    group, links, _ = case
    loops = plaquettes(group, links)
    d = len(links)
    site = tuple(length - 1 for length in links.shape[1 : 1 + d])
    for loop, (mu, nu) in zip(loops, planes(d)):
        ahead_mu = tuple(0 if axis == mu else n for axis, n in enumerate(site))
        ahead_nu = tuple(0 if axis == nu else n for axis, n in enumerate(site))
        product = links[mu][site]
        for factor in (
            links[nu][ahead_mu],
            group.adjoint(links[mu][ahead_nu]),
            group.adjoint(links[nu][site]),
        ):
            product = group.multiply(product, factor)
        assert_equal(group, loop[site], product)


def test_plaquettes_are_covariant(case: Case) -> None:
    group, links, omega = case
    transformed = plaquettes(group, gauge_transform(group, links, omega))
    for before, after in zip(plaquettes(group, links), transformed):
        assert_equal(group, after, conjugate(group, omega, before))


def test_gauge_transformations_compose(case: Case) -> None:
    group, links, omega = case
    other = shift(omega, 0)
    twice = gauge_transform(group, gauge_transform(group, links, omega), other)
    once = gauge_transform(group, links, group.multiply(other, omega))
    assert_equal(group, twice, once)


@pytest.mark.parametrize(("r", "t"), [(1, 1), (2, 1), (2, 3)])
def test_wilson_loops_are_covariant(case: Case, r: int, t: int) -> None:
    group, links, omega = case
    before = wilson_loops(group, links, 0, 1, r, t)
    after = wilson_loops(group, gauge_transform(group, links, omega), 0, 1, r, t)
    assert_equal(group, after, conjugate(group, omega, before))
    reverse = wilson_loops(group, links, 1, 0, t, r)
    assert_equal(group, reverse, group.adjoint(before))


def test_unit_wilson_loop_is_the_plaquette(case: Case) -> None:
    group, links, _ = case
    for mu, nu in planes(len(links)):
        loop = wilson_loops(group, links, mu, nu, 1, 1)
        assert_equal(group, loop, plane_plaquettes(group, links, mu, nu))


def test_abelian_wilson_loop_encloses_its_flux(key: jax.Array) -> None:
    """Stokes: the angle of a 2 x 3 loop is the sum of six plaquette angles."""
    group = U1()
    links = group.random(key, (2, 5, 6), jnp.float64)
    flux = plane_plaquettes(group, links, 0, 1)
    enclosed = sum(shift(shift(flux, 0, i), 1, j) for i in range(2) for j in range(3))
    assert_equal(group, wilson_loops(group, links, 0, 1, 2, 3), jnp.asarray(enclosed))


def test_polyakov_loops_are_covariant(case: Case) -> None:
    group, links, omega = case
    transformed = gauge_transform(group, links, omega)
    for mu in range(len(links)):
        before, after = (polyakov_loops(group, u, mu) for u in (links, transformed))
        lattice = links.shape[1 : 1 + len(links)]
        assert before.shape[: len(lattice) - 1] == lattice[:mu] + lattice[mu + 1 :]
        at_start = jnp.take(omega, 0, axis=mu)
        assert_equal(group, after, conjugate(group, at_start, before))


def test_polyakov_loop_winds_once(case: Case) -> None:
    """One wall of equal links u in direction 0: every loop is u, and every plaquette is 1."""
    group, links, _ = case
    u = links[0].reshape(-1, *group.link_shape)[0]
    cold = group.identity(links.shape[: 1 + len(links)], links.dtype)
    wall = cold.at[0, 0].set(jnp.broadcast_to(u, cold[0, 0].shape))
    loops = polyakov_loops(group, wall, 0)
    assert_equal(group, loops, jnp.broadcast_to(u, loops.shape))
    np.testing.assert_allclose(group.trace(plaquettes(group, wall)), 1, atol=1e-13)
