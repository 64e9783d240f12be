"""The multiscale flow of SU(N): Jacobian, inverse, symmetries, training, HMC in its variables."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from disturbed import disturbed
from jaxtyping import Array
from map_properties import assert_commutes, assert_undone, dense_error, gauge_change
from programs import forward

import gaugemc as gm
from gaugemc.exact import log_partition_function
from gaugemc.flows import MatrixMultiscale, matrix_multiscale
from gaugemc.flows.multiscale.matrix_split import CONTRACTION, MatrixSplit, _gradient
from gaugemc.groups import SUN
from gaugemc.lattice import block_links, wilson_loops
from gaugemc.lattice.loops import line
from gaugemc.samplers import HMC
from gaugemc.spaces import Links
from gaugemc.theories import Wilson
from gaugemc.training import MatrixLevelKL, optimiser, quality, start_training, train

pytestmark = pytest.mark.usefixtures("quick_compilation")

SPACES = [Links(SUN(2), (2, 4)), Links(SUN(3), (2, 4)), Links(SUN(2), (3, 2))]


def far(space: Links, key: Array) -> MatrixMultiscale:
    """A flow far from the identity, whose coefficients come near their bound."""
    return disturbed(matrix_multiscale(key, Wilson(space, 5.0), stages=2), key, 0.5)


@pytest.fixture(params=SPACES, ids=lambda space: space.name)
def space(request: pytest.FixtureRequest) -> Links:
    return request.param


@pytest.mark.parametrize("space", SPACES[:2], ids=lambda space: space.name)
def test_log_det_is_that_of_the_dense_autodiff_jacobian(space: Links, key: Array):
    flow, z = far(space, key), space.random(key)
    assert dense_error(flow, space, z) < 1e-11
    assert abs(float(forward(flow, z)[1])) > 0.02


def test_inverse_undoes_forward_and_both_commute_with_symmetries(space: Links, key: Array):
    flow, z = far(space, key), space.random(key)
    assert_undone(flow, space, z, moved=0.02)
    assert_commutes(flow, space, z, (gauge_change(space, key), jnp.conj))


@pytest.mark.parametrize("group", [SUN(2), SUN(3)], ids=lambda group: group.name)
def test_stages_are_contractions_whatever_their_parameters(group: SUN, key: Array):
    """|dA| <= 0.97 |du|, for parameters of any size."""
    split = MatrixSplit(key, group, 1, jnp.float64)
    arrays, static = eqx.partition(split, eqx.is_inexact_array)
    largest = []
    for size in (0.0, 0.3, 3.0, 100.0):
        noisy = [a + size * jax.random.normal(key, a.shape) for a in jax.tree.leaves(arrays)]
        wild = eqx.combine(jax.tree.unflatten(jax.tree.structure(arrays), noisy), static)
        u, block = group.random(key, (2, 30), jnp.complex128)
        stretch = jax.vmap(lambda u, block, wild=wild: slopes(wild, u, block))(u, block)
        largest.append(float(jnp.max(stretch)))
    assert 0.2 < max(largest) < CONTRACTION


def slopes(split: MatrixSplit, u: Array, block: Array) -> Array:
    """The norm of the derivative of A, in each stage."""
    loops, potentials = split._conditions(block)
    n = jax.vmap(lambda potential: _gradient(split.group, u, loops, potential)[1])(potentials)
    return jnp.linalg.norm(n, 2, axis=(1, 2))


def test_links_of_blocks_are_products_along_their_sides(key: Array):
    group = SUN(2)
    links = Links(group, (4, 6)).random(key)
    coarse = block_links(group, links, (2, 3))
    np.testing.assert_allclose(coarse[0], line(group, links, 0, 2)[::2, ::3], atol=1e-13)
    np.testing.assert_allclose(coarse[1], line(group, links, 1, 3)[::2, ::3], atol=1e-13)
    loops = wilson_loops(group, links, 0, 1, 2, 3)[::2, ::3]
    np.testing.assert_allclose(wilson_loops(group, coarse, 0, 1, 1, 1), loops, atol=1e-13)


@pytest.fixture(scope="module")
def trained() -> MatrixMultiscale:
    """Trained briefly for 2D SU(2) on 4x4 at beta = 2.2."""
    theory = Wilson(Links(SUN(2), (4, 4), jnp.float32), 2.2)
    adam = optimiser(1e-2, 200)
    state = start_training(matrix_multiscale(jax.random.key(1), theory, stages=3), adam)
    objective = MatrixLevelKL(theory, 64, log_partition_function(theory))
    ((state, metrics),) = train(objective, adam, state, jax.random.key(2), 200, 200)
    assert metrics.loss[-1] < metrics.loss[0]
    return state.model


def test_training_level_by_level_makes_a_good_flow(trained: MatrixMultiscale):
    theory = Wilson(Links(SUN(2), (4, 4), jnp.float32), 2.2)
    log_z = log_partition_function(theory)
    measured = quality(trained, theory, jax.random.key(3), log_partition=log_z)
    assert measured.ess > 0.95
    assert measured.kl is not None
    assert abs(measured.kl) < 0.04


def test_ft_hmc_through_it_is_reversible_and_exact(trained: MatrixMultiscale, key: Array):
    theory = Wilson(Links(SUN(2), (4, 4), jnp.float32), 2.2)
    sampler = HMC(theory.pullback(trained), 0.25, 4)
    draws = gm.sample(sampler, key, chains=32, draws=100, warmup=10).draws
    estimate = gm.estimate(draws.observables["plaquette"])
    for z in (
        gm.z_score(gm.estimate(np.exp(-draws.info.delta_h)), 1.0),
        gm.z_score(estimate, gm.exact_observables(theory)["plaquette"]),
    ):
        assert z is not None
        assert abs(z) < 4
    x, v = theory.space.random(key), theory.space.random_momentum(key)
    assert float(theory.space.distance(x, eqx.filter_jit(sampler.there_and_back)(x, v))) < 1e-4


def test_another_lattice_has_the_same_splits(trained: MatrixMultiscale):
    carried = trained.on((8, 2))
    assert eqx.tree_equal(carried.on((4, 4)), trained)
    theory = Wilson(Links(SUN(2), (8, 2), jnp.float32), 2.2)
    assert quality(carried, theory, jax.random.key(3), samples=512).ess > 0.9


def test_other_theories_and_numbers_are_refused(key: Array):
    for other in (Links(SUN(4), (4, 4)), Links(SUN(2), (2, 2, 2))):
        with pytest.raises(ValueError, match=r"needs 2D U\(1\), SU\(2\) or SU\(3\)"):
            matrix_multiscale(key, Wilson(other, 2.0))
    with pytest.raises(ValueError, match="stages 0"):
        matrix_multiscale(key, Wilson(SPACES[0], 2.0), stages=0)
