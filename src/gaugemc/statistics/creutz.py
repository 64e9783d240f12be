"""Creutz ratios of Wilson loops."""

import numpy as np
from jaxtyping import Float

from gaugemc.statistics.jackknife import jackknife


def creutz_ratios(
    loops: Float[np.ndarray, "sample r t"],
) -> tuple[Float[np.ndarray, "r t"], Float[np.ndarray, "r t"]]:
    """chi(r, t) = -log[W(r, t) W(r - 1, t - 1) / (W(r, t - 1) W(r - 1, t))], with errors.

    A function of mean loops, so no observable of one configuration (Creutz, 1980). At large r and
    t it is the string tension in lattice units.

    Args:
        loops: `wilson_loop` of independent samples, such as the means of chains; entry [0, 0] is
            the plaquette, and W(0, t) = 1.

    Returns:
        chi and its jackknife error, entry [0, 0] at r = t = 1; NaN where a mean loop is negative.
    """

    def ratios(mean: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            log = np.pad(np.log(mean), ((1, 0), (1, 0)))
        return -np.diff(np.diff(log, axis=0), axis=1)

    return jackknife(loops, ratios)
