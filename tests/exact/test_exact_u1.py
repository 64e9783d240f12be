"""The character expansion of 2D U(1): published numbers, sum rules and brute-force integration."""

import itertools

import numpy as np
import pytest

from gaugemc.exact.u1 import (
    charge_distribution,
    charge_squared,
    charge_squared_std,
    exact_observables,
    log_partition_function,
    plaquette,
    plaquette_std,
    theta_ratio,
    wilson_loop,
)

CASES = [(0.0, 4), (0.0, 64), (0.3, 15), (2.0, 64), (6.0, 64), (12.0, 1024), (12.0, 128 * 128)]


@pytest.mark.parametrize(
    ("beta", "volume", "log_z"), [(6.0, 64, 504.578), (2.0, 64, 287.984), (6.0, 256, 2018.288)]
)
def test_log_partition_function(beta: float, volume: int, log_z: float):
    assert log_partition_function(beta, volume) == pytest.approx(log_z, abs=5e-4)


def test_no_coupling_leaves_the_volume_of_the_group():
    assert log_partition_function(0.0, 64) == pytest.approx(128 * np.log(2 * np.pi), rel=1e-14)


@pytest.mark.parametrize(("beta", "volume"), CASES[2:])
def test_plaquette_is_the_derivative_of_log_z(beta: float, volume: int):
    h = 1e-3
    up, here, down = (log_partition_function(beta + e, volume) for e in (h, 0.0, -h))
    assert plaquette(beta, volume) == pytest.approx((up - down) / (2 * h * volume), abs=1e-6)
    variance = (up - 2 * here + down) / h**2 / volume**2
    assert plaquette_std(beta, volume) ** 2 == pytest.approx(variance, rel=1e-2)


@pytest.mark.parametrize(("beta", "volume"), CASES)
def test_charges_are_a_distribution(beta: float, volume: int):
    distribution = charge_distribution(beta, volume)
    charges, p = np.array(list(distribution)), np.array(list(distribution.values()))
    assert np.all(p >= 0)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(p, p[::-1], atol=1e-14)
    np.testing.assert_array_less(np.abs(charges), volume / 2 + 0.5)
    for theta in (0.01, 0.5, 2.0):
        characteristic = np.sum(p * np.cos(theta * charges))
        assert characteristic == pytest.approx(theta_ratio(beta, volume, theta), abs=1e-9)


def nu_derivative(beta: float, n: np.ndarray, order: int) -> np.ndarray:
    """I(nu) or a derivative with respect to nu at integers n, by Simpson's rule."""
    phi = np.linspace(-np.pi, np.pi, 8001)
    weight = np.where(np.arange(8001) % 2, 4.0, 2.0)
    weight[[0, -1]] = 1.0
    wave = [np.cos, lambda a: -np.sin(a), lambda a: -np.cos(a)][order](n[:, None] * phi)
    return (wave * phi**order * np.exp(beta * (np.cos(phi) - 1))) @ weight / weight.sum()


@pytest.mark.parametrize(("beta", "volume"), CASES[1:])
def test_charge_squared_is_the_curvature_in_theta(beta: float, volume: int):
    n = np.arange(-60, 61)
    i0, i1, i2 = (
        nu_derivative(beta, n, order) / nu_derivative(beta, n, 0).max() for order in range(3)
    )
    curvature = volume * ((volume - 1) * i0 ** (volume - 2) * i1**2 + i0 ** (volume - 1) * i2)
    expected = -curvature.sum() / (i0**volume).sum() / (2 * np.pi) ** 2
    assert charge_squared(beta, volume) == pytest.approx(expected, rel=1e-7)


def test_plaquettes_without_coupling_are_uniform_up_to_the_constraint():
    """V - 1 of the angles are uniform and independent, so <Q^2> = V / 12 for V > 2."""
    assert plaquette(0.0, 64) == 0
    assert plaquette_std(0.0, 64) == pytest.approx(np.sqrt(0.5 / 64))
    assert charge_squared(0.0, 64) == pytest.approx(64 / 12, rel=1e-10)


@pytest.mark.parametrize("beta", [0.0, 1.3])
def test_brute_force_on_two_by_two(beta: float):
    """A sum over three angles of the four; the fourth closes the torus.

    The charge jumps where an angle wraps, so its sums converge as one power of the grid only.
    """
    points = 80
    grid = -np.pi + 2 * np.pi * (np.arange(points) + 0.5) / points
    x = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"))
    last = -x.sum(axis=0)
    wrapped = (last + np.pi) % (2 * np.pi) - np.pi
    weight = np.exp(beta * (np.cos(x).sum(axis=0) + np.cos(last)))
    log_z = np.log(weight.mean()) + 8 * np.log(2 * np.pi)
    weight /= weight.sum()
    charge = np.round((x.sum(axis=0) + wrapped) / (2 * np.pi))
    means = {power: np.sum(weight * charge**power) for power in (2, 4)}
    assert log_partition_function(beta, 4) == pytest.approx(log_z, abs=1e-10)
    assert plaquette(beta, 4) == pytest.approx(np.sum(weight * np.cos(x[0])), abs=1e-10)
    assert wilson_loop(beta, 4, 2) == pytest.approx(np.sum(weight * np.cos(x[0] + x[1])), abs=1e-10)
    mean_cosine = (np.cos(x).sum(axis=0) + np.cos(last)) / 4
    variance = np.sum(weight * mean_cosine**2) - np.sum(weight * mean_cosine) ** 2
    assert plaquette_std(beta, 4) == pytest.approx(np.sqrt(variance), abs=1e-10)
    assert charge_squared(beta, 4) == pytest.approx(means[2], abs=2e-3)
    assert charge_squared_std(beta, 4) ** 2 == pytest.approx(means[4] - means[2] ** 2, abs=2e-3)
    assert charge_distribution(beta, 4)[1] == pytest.approx(
        np.sum(weight * (charge == 1)), abs=2e-3
    )


@pytest.mark.parametrize(("beta", "volume"), CASES)
def test_wilson_loops(beta: float, volume: int):
    assert wilson_loop(beta, volume, 0) == pytest.approx(1)
    assert wilson_loop(beta, volume, 1) == pytest.approx(plaquette(beta, volume), abs=1e-14)
    for area in (1, 2, 3, volume // 2):
        # The flux through a region is minus the flux through the rest of the torus.
        rest = wilson_loop(beta, volume, volume - area)
        assert wilson_loop(beta, volume, area) == pytest.approx(rest, rel=1e-12, abs=1e-300)


def test_large_volume_has_an_area_law():
    loops = [wilson_loop(2.0, 128 * 128, area) for area in range(1, 6)]
    np.testing.assert_allclose(loops, plaquette(2.0, 128 * 128) ** np.arange(1, 6), rtol=1e-10)


def test_exact_observables_are_those_that_wilson_measures():
    assert exact_observables(2.0, 64) == {
        "plaquette": plaquette(2.0, 64),
        "charge": 0.0,
        "charge_squared": charge_squared(2.0, 64),
    }


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plaquette(-1.0, 64), "beta -1.0"),
        (lambda: plaquette(1.0, 3), "volume 3"),
        (lambda: charge_distribution(-1.0, 64), "beta -1.0"),
        (lambda: charge_squared(1.0, 0), "volume 0"),
        (lambda: wilson_loop(1.0, 4, 5), "area 5"),
    ],
)
def test_bad_arguments_are_refused(call, message: str):
    with pytest.raises(ValueError, match=message):
        call()


def test_charge_fluctuations_fall_with_beta():
    widths = [charge_squared(beta, 64) for beta in (0.5, 1.0, 2.0, 4.0, 8.0)]
    assert all(a > b for a, b in itertools.pairwise(widths))
