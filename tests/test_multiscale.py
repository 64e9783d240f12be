"""The multiscale flow: smoothness, volume transfer, and what training level by level reaches."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from test_flows import disturbed

from gaugemc.analysis.exact_u1 import log_partition_function
from gaugemc.flows import Multiscale, multiscale_flow
from gaugemc.flows.multiscale import divisions, split_kinds
from gaugemc.flows.split import Split
from gaugemc.groups import SUN, U1, wrap
from gaugemc.lattice import plane_plaquettes
from gaugemc.theories import Links, Wilson
from gaugemc.training import LevelKL, optimiser, quality, start_training, train
from gaugemc.training.levels import level_targets


def u1(*lattice: int, dtype: type = jnp.float64) -> Links:
    return Links(U1(), lattice, dtype)


@pytest.fixture(scope="module")
def trained() -> Multiscale:
    """Trained briefly for 8x8 at beta = 3."""
    theory = Wilson(u1(8, 8, dtype=jnp.float32), 3.0)
    adam = optimiser(5e-2, 1500)
    state = start_training(multiscale_flow(theory.space), adam)
    objective = LevelKL(theory, 24, log_partition_function(3.0, 64))
    ((state, metrics),) = train(objective, adam, state, jax.random.key(2), 1500, 1500)
    assert metrics.loss[-1] < metrics.loss[0] - 5
    return state.model


@pytest.mark.parametrize("lattice", [(8, 8), (6, 4), (5, 7), (2, 12), (3, 3)])
def test_divisions_end_in_single_plaquettes(lattice: tuple[int, int]):
    tree = divisions(lattice)
    assert np.prod([d.n for d in tree]) == np.prod(lattice)
    for axis in (0, 1):
        assert np.prod([d.n for d in tree if d.axis == axis]) == lattice[axis]
    assert tree[-1].m == 1


def test_lattices_of_powers_of_two_share_their_kinds():
    assert split_kinds((16, 16)) == [(128, 2), (64, 2), *split_kinds((8, 8))]
    assert split_kinds((4, 16)) == split_kinds((8, 8))


def test_the_map_of_equal_parts_does_not_depend_on_the_name_of_an_angle(key: Array):
    """F and F + 2 pi are the same flux: part A(a | F) must agree, although centres differ by pi."""
    split = disturbed_split(key)
    a, flux = jax.random.uniform(key, (2, 50), jnp.float64, -np.pi, np.pi)

    def part(flux: Array) -> Array:
        return split.centre(flux) + split.forward(a - split.centre(flux), flux)[0]

    np.testing.assert_allclose(wrap(part(flux + 2 * np.pi) - part(flux)), 0, atol=1e-12)


@pytest.mark.parametrize("equal", [True, False])
def test_a_split_commutes_with_charge_conjugation(equal: bool, key: Array):
    split = disturbed_split(key, equal)
    a, flux = jax.random.uniform(key, (2, 50), jnp.float64, -np.pi, np.pi)
    np.testing.assert_allclose(split.centre(-flux), -split.centre(flux), atol=1e-12)
    np.testing.assert_allclose(split.forward(-a, -flux)[0], -split.forward(a, flux)[0], atol=1e-12)


def test_force_of_the_flow_is_continuous_where_fluxes_wrap(key: Array):
    """Links follow a straight line on which plaquettes and block fluxes pass +-pi."""
    theory = Wilson(u1(4, 4), 2.0)
    pulled_back = theory.pullback(disturbed(multiscale_flow(theory.space), key))
    z, v = theory.space.random(key), theory.space.random_momentum(key)
    times = jnp.linspace(0, 2, 4001)
    forces = jax.jit(jax.vmap(lambda t: pulled_back.force(theory.space.move(z, v, t))))(times)
    steps = jnp.abs(jnp.diff(forces, axis=0)).max(axis=(1, 2, 3))
    assert float(steps.max()) < 20 * float(jnp.median(steps))
    wraps = jnp.diff(plane_plaquettes(U1(), z + v * 2, 0, 1) // np.pi)
    assert jnp.any(wraps != 0)


def test_training_level_by_level_makes_a_good_flow(trained: Multiscale):
    theory = Wilson(u1(8, 8, dtype=jnp.float32), 3.0)
    log_z = log_partition_function(3.0, 64)
    measured = quality(trained, theory, jax.random.key(3), log_partition=log_z)
    assert measured.ess > 0.8
    assert measured.kl is not None
    assert 0 < measured.kl < 0.2


def test_carried_to_a_larger_lattice_it_is_still_good(trained: Multiscale):
    theory = Wilson(u1(16, 16, dtype=jnp.float32), 3.0)
    carried = trained.on((16, 16))
    assert quality(carried, theory, jax.random.key(3), samples=1024).ess > 0.4
    back = carried.on((8, 8))
    assert jax.tree.structure(back) == jax.tree.structure(trained)
    assert eqx.tree_equal(back, trained)


def test_a_lattice_that_it_does_not_know_is_refused_with_what_to_do(trained: Multiscale):
    with pytest.raises(ValueError, match=r"cannot split .* take flow.on\(lattice\)"):
        trained.forward(u1(12, 12).origin())


@pytest.mark.parametrize("space", [u1(4, 4, 4), Links(SUN(2), (4, 4), jnp.float64)])
def test_only_two_dimensional_u1(space: Links):
    with pytest.raises(ValueError, match="needs 2D U"):
        multiscale_flow(space)


def test_targets_are_densities_that_convolve(key: Array):
    """p_m(A) p_(n m - m)(F - A) integrates to p_(n m)(F) over A: the renormalisation-group step."""
    for level in level_targets((6, 4), 5.0).values():
        part, rest, whole = (np.exp(t) for t in (level.part, level.rest, level.whole))
        for step in (0, 300, 1024):
            flux = np.mean(part * rest[(step - np.arange(len(rest))) % len(rest)])
            assert flux == pytest.approx(whole[step], rel=1e-10)


def disturbed_split(key: Array, equal: bool = True) -> Split:
    split = Split(equal, jnp.float64)
    noise = jax.random.normal(key, split.coefficients.shape)
    split = eqx.tree_at(lambda s: s.coefficients, split, split.coefficients + 0.5 * noise)
    return eqx.tree_at(lambda s: s.centres, split, split.centres + 0.2)
