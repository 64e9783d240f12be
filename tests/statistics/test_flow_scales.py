"""t0, w0, Creutz ratios and the jackknife, where they are known."""

import numpy as np
import pytest

from gaugemc.statistics import creutz_ratios, flow_scales, jackknife
from gaugemc.statistics.jackknife import blocks


def test_scales_of_a_flow_that_is_known() -> None:
    """t^2 E = c t has t0 = 0.3 / c, and w0^2 = 0.3 / c as well."""
    times = np.linspace(0, 4, 41)
    slopes = np.array([0.09, 0.1, 0.11])
    energy = np.divide(slopes[:, None], times, where=times > 0, out=np.zeros((3, 41)))
    energy[:, 0] = 5.0  # whatever it is at t = 0, t^2 E is 0 there
    found = flow_scales(times, energy)
    assert found.t0 == pytest.approx(3.0)
    assert found.w0 == pytest.approx(3.0**0.5)
    spread = slopes.std(ddof=1) / 3**0.5 / 0.1  # relative
    assert found.t0_error == pytest.approx(3.0 * spread, rel=0.02)
    assert found.w0_error == pytest.approx(3.0**0.5 * spread / 2, rel=0.02)


def test_scales_that_are_not_reached_and_errors_of_one_are_nan() -> None:
    times = np.linspace(0, 2, 21)
    energy = 0.1 / np.maximum(times, 0.1)[None]
    assert np.isnan(flow_scales(times, energy)).all()
    found = flow_scales(times, 10 * energy)
    assert found.t0 == pytest.approx(0.3, abs=0.01)
    assert np.isnan(found.t0_error)
    assert np.isnan(flow_scales(times, np.nan * energy)).all()


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    samples = np.array([1.0, 2.0, 4.0, 9.0])
    value, error = jackknife(samples, lambda mean: mean)
    assert (value, error) == (4.0, pytest.approx(samples.std(ddof=1) / 2))


def test_creutz_ratios_of_area_and_perimeter() -> None:
    """W = exp(-0.2 r t - 0.5 (r + t)): the perimeter drops out of all but the first row."""
    r, t = np.arange(1, 5)[:, None], np.arange(1, 4)
    loops = np.exp(-0.2 * r * t - 0.5 * (r + t))
    values, errors = creutz_ratios(np.stack([loops, loops]))
    np.testing.assert_allclose(values[1:, 1:], 0.2)
    np.testing.assert_allclose(values[0, 0], 1.2)  # minus the log of the plaquette
    np.testing.assert_allclose(errors, 0, atol=1e-12)
    assert np.isnan(creutz_ratios(-loops[None])[0]).all()


def test_blocks_are_chains_or_parts_of_few() -> None:
    """Means of long blocks have the spread that correlated draws have, not that of free ones."""
    many = np.arange(24.0).reshape(12, 2)
    np.testing.assert_array_equal(blocks(many), many.mean(axis=1))
    few = np.arange(36.0).reshape(2, 18)
    assert blocks(few).shape == (8,)
    np.testing.assert_array_equal(blocks(few)[:2], [3.5, 7.5])
    assert blocks(np.ones((2, 3, 5))).shape == (6, 5)
    slow = np.repeat(np.random.default_rng(1).normal(size=(8, 40)), 25, axis=1)
    value, error = jackknife(blocks(slow), lambda mean: mean)
    assert abs(value) < 4 * error
    assert 0.5 < error / (1 / np.sqrt(8 * 40)) < 2
