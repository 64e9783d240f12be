"""The compiled sweeps of the stout flow against the same layers in XLA."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from disturbed import disturbed

from gaugemc.flows import stout_flow
from gaugemc.flows.stout.sweeps import Sweeps
from gaugemc.groups import SUN
from gaugemc.kernels import native
from gaugemc.spaces import Links
from gaugemc.theories import Improved, Wilson

pytestmark = [
    pytest.mark.usefixtures("quick_compilation"),
    pytest.mark.skipif(not native.kernels(3, jnp.complex128), reason="no compiled kernels here"),
]

SPACES = {
    "lanes of chains": (Links(SUN(3), (2, 2)), 9),
    "float32, lanes of both parities": (Links(SUN(3), (2, 2, 6), jnp.float32), 1),
    "four dimensions": (Links(SUN(2), (4, 2, 2, 4)), 2),
    "ranges of sites": (Links(SUN(2), (64, 64)), 1),
}


def plain(space: Links) -> Links:
    return Links(space.group.without_kernels(), space.lattice, space.real)


def trained(space: Links, key: jax.Array) -> Sweeps:
    """Two sweeps whose coefficients are all over their range."""
    return disturbed(stout_flow(space, sweeps=2, contraction=0.95), key, 1.0)


def on_chains(space: Links, key: jax.Array, z: jax.Array) -> Any:
    """Links, log det and the force of FT-HMC, of each chain."""
    flow = trained(space, key)
    theory = Wilson(space, 2.5).pullback(flow)
    return jax.jit(jax.vmap(lambda z: (*flow.forward(z), theory.force(z))))(z)


@pytest.mark.parametrize("name", SPACES)
def test_sweeps_and_their_force_are_those_of_the_layers(name: str, key: jax.Array) -> None:
    space, chains = SPACES[name]
    z = jax.vmap(space.random)(jax.random.split(key, chains))
    ours, theirs = (on_chains(s, key, z) for s in (space, plain(space)))
    eps = float(jnp.finfo(space.real).eps)
    np.testing.assert_allclose(ours[0], theirs[0], atol=20 * eps)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=30 * eps, atol=5 * eps * space.n_links)
    np.testing.assert_allclose(ours[2], theirs[2], atol=100 * eps)
    assert ours[1].dtype == jnp.float64
    assert float(jnp.min(jnp.abs(ours[1]))) > 0.1


def test_where_eigenvalues_meet(key: jax.Array) -> None:
    """Cold links and links near them: the exponents of all links nearly vanish."""
    space = Links(SUN(3), (2, 4))
    v = space.random_momentum(key)
    z = jnp.stack([space.move(space.origin(), v, size) for size in (0.0, 1e-12, 1e-4)])
    ours, theirs = (on_chains(s, key, z) for s in (space, plain(space)))
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-13)
    np.testing.assert_allclose(ours[2], theirs[2], atol=2e-15)


def test_derivatives_are_those_of_the_layers(key: jax.Array) -> None:
    """By links and coefficients backwards, by links forwards."""

    def derivatives(space: Links) -> Any:
        flow = trained(space, key)
        theory = Improved(space, 2.5, c1=-0.3)  # pyright: ignore[reportCallIssue]
        z, v = space.random(key), space.random_momentum(key)

        def loss(both: tuple[Sweeps, jax.Array]) -> jax.Array:
            return theory.pullback(both[0]).action(both[1])

        gradient = eqx.filter_jit(eqx.filter_grad(loss))((flow, z))
        slopes = jax.jit(lambda z: jax.jvp(flow.forward, (z,), (v,)))(z)
        return jax.tree.leaves(eqx.filter((gradient, slopes), eqx.is_inexact_array))

    space = Links(SUN(2), (2, 4))
    ours, theirs = derivatives(space), derivatives(plain(space))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


def test_without_kernels_there_are_none(key: jax.Array) -> None:
    def kernels(space: Links) -> int:
        theory = Wilson(space, 2.0).pullback(stout_flow(space, sweeps=1))
        return (
            jax.jit(lambda z: theory.force(z))
            .lower(space.origin())
            .as_text()
            .count("gaugemc_stout")
        )

    space = Links(SUN(2), (4, 4))
    assert kernels(space) == 2
    assert kernels(plain(space)) == 0
    assert kernels(Links(SUN(4), (2, 2))) == 0


def test_coefficients_that_are_too_few_are_refused() -> None:
    space = Links(SUN(2), (4, 4, 4))
    with pytest.raises(ValueError, match=r"^coefficients of shape \[4, 1\]: must be \[6, 2\]"):
        native.stout(space.origin(), jnp.zeros((4, 1)))
