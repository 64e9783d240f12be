"""t0, w0, Creutz ratios and the jackknife, where they are known."""

import numpy as np
import pytest

from gaugemc.statistics import creutz_ratios, flow_scales, jackknife


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
