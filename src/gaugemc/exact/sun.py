"""Exact two-dimensional SU(N) gauge theory on a torus, from its character expansion."""

import itertools
import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int
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
    dimension = _dimensions(weights)
    return value / dimension, derivative / dimension


def _dimensions(weights: Int[np.ndarray, "irrep N"]) -> Float[np.ndarray, " irrep"]:
    """Weyl's formula."""
    pairs = itertools.combinations(range(weights.shape[1]), 2)
    return np.prod([(weights[:, j] - weights[:, k]) / (k - j) for j, k in pairs], axis=0)


class Irreps(NamedTuple):
    """Irreducible representations of SU(N)."""

    rows: Int[np.ndarray, "irrep N"]
    """Lengths of the rows of Young's diagrams."""
    dimension: Float[np.ndarray, " irrep"]
    ratio: Float[np.ndarray, " irrep"]
    """w_R / w_0, with w_0 of the trivial representation."""

    def coefficients(self, plaquettes: int) -> Float[np.ndarray, " irrep"]:
        """d_R (w_R / w_0)^m, the characters' coefficients in the density of m plaquettes."""
        return self.dimension * self.ratio**plaquettes

    def coupling(self, plaquettes: int) -> float:
        """The variance of p_m under the Haar measure, which says how far it is from uniform."""
        return float(np.sum(self.coefficients(plaquettes) ** 2)) - 1


def irreps(n: int, beta: float, plaquettes: int, smallest: float = 1e-10) -> Irreps:
    """The irreps that have more than `smallest` of the mean square of p_m (and the trivial one)."""
    w, _ = character_coefficients(n, beta)
    weights = _highest_weights(n, beta)
    every = Irreps(weights - np.arange(n - 1, -1, -1), _dimensions(weights), w / w[-1])
    keep = every.coefficients(plaquettes) ** 2 > smallest
    return Irreps(*(array[keep] for array in every))


def characters(
    rows: Int[np.ndarray, "irrep N"], trace: Complex[Array, "..."]
) -> Float[Array, "irrep ..."]:
    """Real parts of the characters of SU(2) or SU(3) from tr U: polynomials, nowhere singular.

    Of complete symmetric polynomials, h_k = t h_(k-1) - t* h_(k-2) + h_(k-3) in SU(3) and
    t h_(k-1) - h_(k-2) in SU(2), chi is a determinant (Jacobi and Trudi).

    Raises:
        ValueError: N is not 2 or 3, where the trace does not fix the class.
    """
    n = rows.shape[1]
    if n not in (2, 3):
        raise ValueError(f"SU({n}): characters are made from the trace alone, for N = 2 and 3")
    zero, one = jnp.zeros_like(trace), jnp.ones_like(trace)
    h = [zero, zero, one]  # from h_(-2) on
    for _ in range(int(rows.max()) + 1):
        last = jnp.conj(trace) * h[-2] - h[-3] if n == 3 else h[-2]
        h.append(trace * h[-1] - last)
    h = jnp.stack(h)
    p, q = rows[:, 0] + 2, rows[:, 1] + 2
    return h[p].real if n == 2 else (h[p] * h[q] - h[p + 1] * h[q - 1]).real


def log_partition_function(n: int, beta: float, volume: int) -> float:
    """log Z = log sum_R w_R^V of 2D SU(N) on a torus of `volume` plaquettes, with Haar links."""
    w, _ = character_coefficients(n, beta)
    return float(volume * (np.log(w[-1]) + beta) + np.log(np.sum((w / w[-1]) ** volume)))


def plaquette(n: int, beta: float, volume: int) -> float:
    """`<Re tr P / N>` of 2D SU(N), S = -(beta / N) sum Re tr P, on a torus of `volume` plaquettes.

    Z = sum_R w_R^V (Migdal 1975; Rusakov 1990), and `V <Re tr P / N> = d log Z / d beta`.
    """
    if n < 2 or volume < 1 or not 0 <= beta < math.inf:
        raise ValueError(f"SU({n}), beta {beta}, volume {volume}: no such theory")
    w, slope = character_coefficients(n, beta)
    ratio = w / w[-1]
    return float(np.sum(ratio ** (volume - 1) * slope / w[-1]) / np.sum(ratio**volume))
