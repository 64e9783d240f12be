"""Pair and flux couplings: what each of them moves, symmetries, smoothness, lattices."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from disturbed import disturbed
from jaxtyping import Array

from gaugemc.flows import Flow, FluxCoupling, PairCoupling, flux_flow, pair_flow
from gaugemc.groups import SUN, U1
from gaugemc.kernels import wrap
from gaugemc.lattice import plane_plaquettes
from gaugemc.networks.pair_network import PairNetwork
from gaugemc.networks.stripes import StripeNetwork
from gaugemc.spaces import Links
from gaugemc.theories import Wilson

SPACE = Links(U1(), (6, 8), jnp.float64)
WIDE = Links(U1(), (8, 8), jnp.float64)


def flow(key: Array) -> Flow:
    return disturbed(pair_flow(key, SPACE, n_layers=4), key, 0.3)


def coupling(key: Array, direction: int = 0) -> PairCoupling:
    network = PairNetwork(key, 4, 4, dtype=jnp.float64)
    return disturbed(PairCoupling(SPACE, direction, network, 1, 4.0), key, 0.3)


def flux_coupling(key: Array) -> FluxCoupling:
    network = StripeNetwork(key, 8, dtype=jnp.float64, seen=(0, 1, 2))
    return disturbed(FluxCoupling(WIDE, 0, network, 1, 4.0), key, 0.3)


def plaquettes(x: Array) -> Array:
    return plane_plaquettes(U1(), x, 0, 1)


@pytest.mark.parametrize("direction", [0, 1])
def test_every_plaquette_moves_and_the_sums_of_pairs_stay(direction: int, key: Array):
    z = SPACE.random(key)
    x, _ = eqx.filter_jit(coupling(key, direction).forward)(z)
    still = wrap(x - z) == 0
    assert bool(jnp.all(still[1 - direction]))
    assert int(jnp.sum(~still)) == 24
    change = wrap(plaquettes(x) - plaquettes(z))
    assert float(jnp.min(jnp.abs(change))) > 1e-6
    pairs = change + jnp.roll(change, 1, axis=1 - direction)
    lines = pairs[:, ::2] if direction == 0 else pairs[::2]
    assert float(jnp.max(jnp.abs(wrap(lines)))) < 1e-12


def test_a_flux_coupling_moves_a_half_of_the_plaquettes_and_no_sum_of_a_pair(key: Array):
    z = WIDE.random(key)
    change = wrap(plaquettes(eqx.filter_jit(flux_coupling(key).forward)(z)[0]) - plaquettes(z))
    assert np.asarray(jnp.any(jnp.abs(change) > 1e-6, axis=0)).tolist() == [1, 0, 0, 1] * 2
    pairs = wrap(change + jnp.roll(change, 1, axis=1))
    assert float(jnp.max(jnp.abs(pairs[:, ::4]))) < 1e-12


def test_all_sums_of_pairs_are_frozen_so_maps_may_read_them(key: Array):
    """The map of one pair depends on P_a and on the other pairs' sums, not on their differences."""
    forward = eqx.filter_jit(coupling(key).forward)
    z = SPACE.random(key)
    moved = z.at[0, 2, 4].add(0.7)  # another active link: the sum of its own pair stays
    change = wrap(forward(z)[0] - z)
    others = wrap(forward(moved)[0] - moved).at[0, 2, 4].set(change[0, 2, 4])
    np.testing.assert_allclose(others, change, atol=1e-12)
    frozen = z.at[0, 2, 5].add(0.7)  # a frozen link: the sums of two pairs change
    assert float(jnp.max(jnp.abs(wrap(forward(frozen)[0] - frozen - change)[0, 1]))) > 1e-4


def test_four_layers_move_every_link_and_commute_with_charge_conjugation(key: Array):
    z = SPACE.random(key)
    forward = eqx.filter_jit(flow(key).forward)
    x, log_det = forward(z)
    conjugate, same = forward(-z)
    assert bool(jnp.all(jnp.abs(wrap(x - z)) > 1e-9))
    np.testing.assert_allclose(wrap(conjugate + x), 0, atol=1e-11)
    assert float(log_det) == pytest.approx(float(same), abs=1e-10)


@pytest.mark.parametrize("make", [coupling, flux_coupling])
def test_a_coupling_is_smooth_where_the_sum_of_a_pair_passes_pi(
    make: Callable[[Array], PairCoupling | FluxCoupling], key: Array
):
    """A frozen link carries the sums of two pairs through +-pi: links, log-det and force agree."""
    layer = make(key)
    z = layer.space.random(key)
    flux = plaquettes(z)[2, 4] + plaquettes(z)[2, 3]
    z = z.at[0, 2, 5].add(flux - np.pi)  # P_a = P(2, 4) contains this link with sign -1
    pulled_back = Wilson(layer.space, 2.0).pullback(layer)

    @jax.jit
    def beside(step: float) -> tuple[Array, Array, Array]:
        z_beside = z.at[0, 2, 5].add(step)
        x, log_det = layer.forward(z_beside)
        return x, log_det, pulled_back.force(z_beside)

    below, above = beside(-1e-10), beside(1e-10)
    sums = [wrap(p[2, 4] + p[2, 3]) for p in (plaquettes(below[0]), plaquettes(above[0]))]
    assert float(sums[0] * sums[1]) < -9  # on both sides of the seam
    np.testing.assert_allclose(wrap(above[0] - below[0]), 0, atol=1e-7)
    assert float(above[1]) == pytest.approx(float(below[1]), abs=1e-7)
    np.testing.assert_allclose(above[2], below[2], atol=1e-6)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (Links(U1(), (8, 7)), r"lattice \[8, 7\].*multiples of 2; nearest to 7: \[6, 8\]"),
        (Links(U1(), (3, 4)), r"nearest to 3: \[2, 4\]"),
        (Links(U1(), (4, 4, 4)), "needs 2D U"),
        (Links(SUN(2), (4, 4)), r"needs 2D U\(1\) links, not 2D SU\(2\)"),
    ],
    ids=str,
)
def test_spaces_that_do_not_fit_are_refused(space: Links, message: str, key: Array):
    with pytest.raises(ValueError, match=message):
        pair_flow(key, space)


def test_numbers_that_do_not_fit_are_refused(key: Array):
    with pytest.raises(ValueError, match="n_layers 3"):
        pair_flow(key, SPACE, n_layers=3)
    with pytest.raises(ValueError, match="kernel_size 2"):
        pair_flow(key, SPACE, kernel_size=2)
    with pytest.raises(ValueError, match="rounds 0"):
        pair_flow(key, SPACE, rounds=0)
    with pytest.raises(ValueError, match="rounds 0"):
        flux_flow(key, WIDE, rounds=0)
