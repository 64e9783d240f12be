"""The multiscale flow: smoothness, volume transfer, and what training level by level reaches."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from gaugemc.exact.u1 import log_partition_function
from gaugemc.flows import Multiscale, multiscale_flow
from gaugemc.flows.circle.knots import N_ANGLES, angle_at, log_slope_slope, position, position_slope
from gaugemc.flows.multiscale.multiscale import divisions, split_kinds
from gaugemc.flows.multiscale.split import AnySplit, SeriesSplit, Split, identity_split
from gaugemc.flows.multiscale.split_table import N_FLUXES
from gaugemc.groups import SUN, U1
from gaugemc.kernels import wrap
from gaugemc.spaces import Links
from gaugemc.theories import Wilson
from gaugemc.training import LevelKL, optimiser, quality, quantile_flow, start_training, train
from gaugemc.training.levels import level_targets


def u1(*lattice: int, dtype: type = jnp.float64) -> Links:
    return Links(U1(), lattice, dtype)


def disturbed_split(key: Array) -> Split:
    return Split(jax.random.normal(key, (N_FLUXES, N_ANGLES), jnp.float64))


def disturbed_series(key: Array) -> SeriesSplit:
    shape = identity_split(jnp.float64).coefficients.shape
    return SeriesSplit(jax.random.normal(key, shape, jnp.float64))


@pytest.fixture(scope="module")
def trained() -> Multiscale:
    """Trained briefly for 8x8 at beta = 3."""
    theory = Wilson(u1(8, 8, dtype=jnp.float32), 3.0)
    adam = optimiser(0.1, 1000)
    state = start_training(multiscale_flow(theory.space), adam)
    objective = LevelKL(theory, 96, log_partition_function(3.0, 64))
    ((state, metrics),) = train(objective, adam, state, jax.random.key(2), 1000, 1000)
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


def test_a_split_does_not_depend_on_the_names_of_angles(key: Array):
    table = disturbed_split(key).table()
    a, flux = jax.random.uniform(key, (2, 50), jnp.float64, -np.pi, np.pi)
    part, log_slope = table.forward(a, flux)
    same_part, same_log_slope = table.forward(a, flux + 2 * np.pi)
    np.testing.assert_allclose(same_part, part, atol=1e-12)
    np.testing.assert_allclose(same_log_slope, log_slope, atol=1e-12)
    ends = [table.forward(jnp.full(50, side * np.pi), flux) for side in (-1, 1)]
    np.testing.assert_allclose(ends[1][0] - ends[0][0], 2 * np.pi, atol=1e-12)
    np.testing.assert_allclose(ends[1][1], ends[0][1], atol=1e-8)


def test_a_series_is_a_fourier_series_in_the_flux(key: Array):
    """Of the harmonics 1, cos F and sin F alone, with their weights 1, 1/4 and 1/4."""
    first, cosine, sine = jax.random.normal(key, (3, N_ANGLES), jnp.float64)
    start = identity_split(jnp.float64).coefficients
    order = (len(start) - 1) // 2
    series = SeriesSplit(start.at[0].set(first).at[1].set(cosine).at[1 + order].set(sine))
    flux = 2 * np.pi / N_FLUXES * jnp.arange(N_FLUXES)[:, None]
    wanted = first + (jnp.cos(flux) * cosine + jnp.sin(flux) * sine) / 4
    np.testing.assert_allclose(series.log_increments, wanted, atol=1e-12)


def test_a_carried_flow_keeps_the_form_of_its_splits():
    """So that a checkpoint of a flow that is carried has one form, of tables or of series."""
    space = u1(4, 4)
    for flow in (multiscale_flow(space), quantile_flow(Wilson(space, 2.0))):
        kinds = {type(split) for split in flow.on((8, 8)).splits.values()}
        assert kinds == {type(split) for split in flow.splits.values()}


def test_a_split_commutes_with_charge_conjugation(key: Array):
    table = disturbed_split(key).table()
    a, flux = jax.random.uniform(key, (2, 50), jnp.float64, -np.pi, np.pi)
    np.testing.assert_allclose(table.forward(-a, -flux)[0], -table.forward(a, flux)[0], atol=1e-12)


def test_a_split_is_the_same_one_by_one_and_on_a_grid(key: Array):
    split = disturbed_split(key)
    a, flux = jax.random.uniform(key, (2, 50), jnp.float64, -np.pi, np.pi)
    one_by_one = split.table().forward(*jnp.broadcast_arrays(a[:, None], flux))
    for expected, found in zip(one_by_one, split.on_grid(a, flux)):
        np.testing.assert_allclose(found, expected, atol=1e-10)


def test_a_split_starts_as_the_identity(key: Array):
    a, flux = jax.random.uniform(key, (2, 500), jnp.float64, -np.pi, np.pi)
    part, log_slope = identity_split(jnp.float64).table().forward(a, flux)
    np.testing.assert_allclose(part, a, atol=2e-5)
    np.testing.assert_allclose(log_slope, 0, atol=5e-3)


@pytest.mark.parametrize("make", [disturbed_split, disturbed_series])
def test_derivatives_of_a_split_are_those_of_differences(
    make: Callable[[Array], AnySplit], key: Array
):
    split = make(key)
    place = jnp.asarray([0.7, -2.1])

    def values(place: Array) -> Array:
        return jnp.stack(split.table().forward(place[0], place[1]))

    central = [(values(place + h) - values(place - h)) / 2e-6 for h in 1e-6 * jnp.eye(2)]
    for jacobian in (jax.jacrev, jax.jacfwd):
        np.testing.assert_allclose(jacobian(values)(place), jnp.stack(central, 1), rtol=1e-6)

    def of_parameters(size: Array) -> Array:
        scaled = jax.tree.map(lambda parameters: size * parameters, split)
        return jnp.stack(scaled.table().forward(place[0], place[1]))

    expected = (of_parameters(jnp.asarray(1 + 1e-6)) - of_parameters(jnp.asarray(1 - 1e-6))) / 2e-6
    for jacobian in (jax.jacrev, jax.jacfwd):
        np.testing.assert_allclose(jacobian(of_parameters)(jnp.asarray(1.0)), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", [(1, 2), (2, 2), (16, 2)])
def test_improbable_fluxes_are_undone(kind: tuple[int, int], key: Array):
    """Angles at all distances from +-pi, in float64. An inverse that is none raises."""
    split = quantile_flow(Wilson(u1(8, 8), 6.0)).splits[kind].table()
    keys = jax.random.split(key, 3)
    away = 10 ** jax.random.uniform(keys[0], (4096,), minval=-9, maxval=-1)
    angle = jnp.where(jax.random.bernoulli(keys[1], shape=(4096,)), 1, -1) * (np.pi - away)
    flux = jax.random.uniform(keys[2], (4096,), minval=-np.pi, maxval=np.pi)
    part, slope = split.forward(angle, flux)
    undone, slope_back = split.inverse(part, flux)
    again = split.forward(undone, flux)[0]
    np.testing.assert_allclose(wrap(again - part), 0, atol=1e-12)
    gentle = slope > np.log(1e-3)  # elsewhere rounding of the flux hides the angle
    np.testing.assert_allclose(wrap(undone - angle)[gentle], 0, atol=1e-11)
    np.testing.assert_allclose(slope_back[gentle], slope[gentle], atol=1e-5)


def test_parameters_that_are_not_numbers_are_not_taken_for_the_identity():
    split = Split(jnp.full((N_FLUXES, N_ANGLES), jnp.nan))
    assert jnp.isnan(split.table().forward(jnp.asarray(0.3), jnp.asarray(0.2))[0])


def test_a_fixed_flow_is_the_same_map(trained: Multiscale, key: Array):
    z = u1(8, 8, dtype=jnp.float32).random(key)
    for found, expected in zip(trained.fixed().forward(z), trained.forward(z)):
        np.testing.assert_array_equal(found, expected)


def test_branches_change_no_result(
    trained: Multiscale, key: Array, monkeypatch: pytest.MonkeyPatch
):
    """Accelerators take none; here the CPU is made to do as they do."""
    pulled_back = Wilson(u1(8, 8, dtype=jnp.float32), 3.0).pullback(trained)
    z = pulled_back.space.random(key)
    with_branches = pulled_back.action(z), pulled_back.force(z)
    monkeypatch.setattr(jax, "default_backend", lambda: "an accelerator")
    for found, expected in zip((pulled_back.action(z), pulled_back.force(z)), with_branches):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_positions_are_undone(key: Array):
    """Also next to +-pi, where knots are a millionth of the circle apart."""
    distance = jnp.append(jnp.geomspace(1e-9, 3.14, 300), 0)
    for angle in (distance - np.pi, np.pi - distance):
        found = angle_at(position(angle))
        np.testing.assert_allclose(found, angle, rtol=0, atol=1e-5)
        near = distance < 1e-3
        np.testing.assert_allclose(position(found)[near], position(angle)[near], atol=1e-3)
    near = distance - np.pi
    slope = jax.vmap(jax.grad(position))(near)
    np.testing.assert_allclose(position_slope(near), slope, rtol=1e-8)
    bend = jax.vmap(jax.grad(lambda a: jnp.log(position_slope(a))))(near)
    rounding = 1e-16 * 1e12  # of an angle next to -pi, times the largest derivative
    np.testing.assert_allclose(log_slope_slope(near), bend, rtol=1e-8, atol=rounding)


def test_forces_of_a_split_are_continuous(key: Array):
    """At knots of both variables, and where angles and fluxes wrap: the same from both sides.

    At a = +-pi forces change by their own size, 10^6, within 10^-6.
    """
    table = disturbed_split(key).table()

    @jax.jit
    def force(a: Array, flux: Array) -> tuple[Array, Array]:
        return jax.grad(lambda a, f: jnp.sum(jnp.stack(table.forward(a, f))), (0, 1))(a, flux)

    knots = [*angle_at(jnp.arange(1.0, N_ANGLES)), np.pi]
    places = [(a, 0.3) for a in knots] + [(0.3, 2 * np.pi * k / N_FLUXES) for k in range(N_FLUXES)]
    near = 1e-12
    for a, flux in (*places, (np.pi, np.pi)):
        after = a + near if a < np.pi else near - np.pi
        before = jnp.stack(force(jnp.asarray(a - near), jnp.asarray(flux - near)))
        after = jnp.stack(force(jnp.asarray(after), jnp.asarray(flux + near)))
        np.testing.assert_allclose(after, before, rtol=1e-4, atol=10 if a == np.pi else 1e-4)


def test_training_level_by_level_makes_a_good_flow(trained: Multiscale):
    theory = Wilson(u1(8, 8, dtype=jnp.float32), 3.0)
    log_z = log_partition_function(3.0, 64)
    measured = quality(trained, theory, jax.random.key(3), log_partition=log_z)
    assert measured.ess > 0.98
    assert measured.kl is not None
    assert abs(measured.kl) < 0.02


@pytest.mark.parametrize("lattice", [(8, 8), (6, 5)])
def test_quantiles_are_a_good_flow_before_any_training(lattice: tuple[int, int]):
    theory = Wilson(u1(*lattice, dtype=jnp.float32), 6.0)
    flow = quantile_flow(theory)
    log_z = log_partition_function(6.0, lattice[0] * lattice[1])
    measured = quality(flow, theory, jax.random.key(3), log_partition=log_z)
    assert measured.ess > 0.98
    assert measured.kl is not None
    assert abs(measured.kl) < 0.03


def test_carried_to_a_larger_lattice_it_is_still_good(trained: Multiscale):
    theory = Wilson(u1(16, 16, dtype=jnp.float32), 3.0)
    carried = trained.on((16, 16))
    assert quality(carried, theory, jax.random.key(3), samples=1024).ess > 0.95
    back = carried.on((8, 8))
    whole = split_kinds((8, 8))[0]
    assert set(back.splits) == set(trained.splits)
    for kind, split in trained.splits.items():
        at_start = eqx.tree_equal(back.splits[kind], identity_split(jnp.float32))
        assert bool(at_start) if kind == whole else eqx.tree_equal(back.splits[kind], split)
    assert eqx.tree_equal(trained.on((4, 16)).splits, trained.splits)  # the same blocks
    solved = quantile_flow(theory)
    assert eqx.tree_equal(solved.on((8, 8)).on((16, 16)).splits[32, 2], solved.splits[32, 2])


def test_another_lattice_is_refused(trained: Multiscale):
    with pytest.raises(ValueError, match=r"^field of shape \[2, 12, 12\]: 2D U\(1\) links on 8x8"):
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
