"""The scales t0 and w0 of the gradient flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from gaugemc.statistics.jackknife import jackknife

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

LEVEL = 0.3
"""Of `t^2 <E>` at t0, and of `t d(t^2 <E>)/dt` at w0^2."""


class FlowScales(NamedTuple):
    """t0 and w0 with errors; NaN where the flow ends before, or of a single configuration."""

    t0: float
    """`t^2 <E>` = 0.3 (1006.4518), in units of the lattice spacing squared."""
    t0_error: float
    w0: float
    """`t d(t^2 <E>)/dt` = 0.3 at t = w0^2 (1203.4469), in units of the lattice spacing."""
    w0_error: float


def flow_scales(
    times: Float[np.ndarray, " time"], energy: Float[np.ndarray, "configuration time"]
) -> FlowScales:
    """t0 and w0 from histories of E(t) that begin at t = 0, interpolated by cubic splines.

    Errors are those of the jackknife: configurations are taken to be independent.
    """

    from scipy.interpolate import CubicSpline  # not at every start

    def scales(energy: np.ndarray) -> np.ndarray:
        t2e = CubicSpline(times, times**2 * energy)
        slope = CubicSpline(times, times * t2e(times, 1))
        return np.array([reached(t2e), np.sqrt(reached(slope))])

    if len(times) < 2 or not np.all(np.isfinite(energy)):
        return FlowScales(*4 * [np.nan])
    value, error = jackknife(energy, scales)
    return FlowScales(float(value[0]), float(error[0]), float(value[1]), float(error[1]))


def reached(curve: CubicSpline) -> float:
    """The first time at which a curve rises through `LEVEL`; NaN where it does not."""
    times = curve.solve(LEVEL, extrapolate=False)
    return float(min((t for t in times if curve(t, 1) > 0), default=np.nan))
