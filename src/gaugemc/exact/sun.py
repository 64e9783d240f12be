"""Exact two-dimensional SU(N) gauge theory on a torus, from its character expansion."""

import itertools
import math

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ive


def _highest_weights(n: int, beta: float) -> Int[np.ndarray, "irrep N"]:
    """Strictly decreasing l_j = lambda_j + N - j of the irreps that matter in float64.

    Coefficients fall like exp(-N C_2 / beta) (heat kernel), at small beta like 1 / l!.
    """
    cutoff = math.ceil(9 * math.sqrt(beta)) + 16
    rows = itertools.combinations(range(cutoff, 0, -1), n - 1)
    return np.array([(*row, 0) for row in rows])


def character_coefficients(
    n: int, beta: float
) -> tuple[Float[np.ndarray, " irrep"], Float[np.ndarray, " irrep"]]:
    """The character expansion of Wilson's weight, and its derivative by beta.

    w_R = c_R / d_R in exp((beta / N) Re tr P) = sum_R c_R chi_R(P), in units of exp(beta). Weyl's
    integration formula gives c_R = sum_q det_ij I_{l_j - N + i + q}(beta / N) with the sum over the
    U(1) phase that SU(N) lacks (Bars and Green 1979; Drouffe and Zuber 1983). For SU(2),
    w_n = 2 I_n(beta) / beta with n the dimension. The trivial representation comes last.
    """
    x = beta / n
    weights = _highest_weights(n, beta)
    reach = int(weights.max()) + n
    q = np.arange(-reach, reach + 1)
    rows = np.arange(n - 1, -1, -1)
    order = np.abs(weights[:, None, None, :] - rows[:, None] + q[:, None, None])
    table = ive(np.arange(order.max() + 2), x)
    bessel = table[order]
    slope = (table[np.abs(order - 1)] + table[order + 1]) / 2
    value = np.linalg.det(bessel).sum(axis=1)
    derivative = np.zeros_like(value)
    for column in range(n):
        replaced = bessel.copy()
        replaced[..., column] = slope[..., column]
        derivative += np.linalg.det(replaced).sum(axis=1) / n
    dimension = np.ones(len(weights))
    for j, k in itertools.combinations(range(n), 2):
        dimension *= (weights[:, j] - weights[:, k]) / (k - j)
    return value / dimension, derivative / dimension


def plaquette(n: int, beta: float, volume: int) -> float:
    """`<Re tr P / N>` of 2D SU(N), S = -(beta / N) sum Re tr P, on a torus of `volume` plaquettes.

    Z = sum_R w_R^V (Migdal 1975; Rusakov 1990), and `V <Re tr P / N> = d log Z / d beta`.
    """
    if n < 2 or volume < 1 or not 0 <= beta < math.inf:
        raise ValueError(f"SU({n}), beta {beta}, volume {volume}: no such theory")
    w, slope = character_coefficients(n, beta)
    ratio = w / w[-1]
    return float(np.sum(ratio ** (volume - 1) * slope / w[-1]) / np.sum(ratio**volume))
