"""Exact results of two-dimensional U(1) gauge theory on a torus.

The action is S = -beta sum_P cos(x_P) and the measure is dx on each of the 2 V links. In the
character expansion (Migdal 1975; Wiese, Nucl. Phys. B318 (1989) 153 with a theta term) everything
is a sum over n of V-th powers of I_n(beta), or of its continuation to real orders,
I(nu) = (1 / 2 pi) int dphi exp(beta cos phi) cos(nu phi).
"""

import numpy as np
from scipy.special import ive, roots_legendre

_MAX_ORDER = 400  # bounds the cost of volumes 4 to 6 at small beta; what is left out is 1e-10


def log_partition_function(beta: float, volume: int) -> float:
    """log Z of a torus of `volume` plaquettes, Z = (2 pi)^(2 V) sum_n I_n(beta)^V."""
    _, weights = _weights(beta, volume)
    log_i0 = np.log(ive(0, beta)) + beta
    return float(volume * (log_i0 + 2 * np.log(2 * np.pi)) + np.log(weights.sum()))


def plaquette(beta: float, volume: int) -> float:
    """`<cos x_P>` on a torus of `volume` plaquettes."""
    ratios, weights = _weights(beta, volume)
    slope = _neighbours(ratios, 1)
    return float(np.sum(ratios ** (volume - 1) * slope) / weights.sum())


def plaquette_std(beta: float, volume: int) -> float:
    """Standard deviation of a configuration's mean plaquette."""
    ratios, weights = _weights(beta, volume)
    slope = _neighbours(ratios, 1)
    curvature = (_neighbours(ratios, 2) + ratios) / 2
    square = ratios ** (volume - 1) * curvature
    square += (volume - 1) * ratios ** (volume - 2) * slope**2
    variance = np.sum(square) / weights.sum() / volume - plaquette(beta, volume) ** 2
    return float(np.sqrt(max(variance, 0.0)))


def wilson_loop(beta: float, volume: int, area: int) -> float:
    """`<cos>` of the flux through `area` plaquettes, such as an r x t Wilson loop of area r t."""
    if not 0 <= area <= volume:
        raise ValueError(f"area {area}: must lie between 0 and the volume {volume}")
    ratios, weights = _weights(beta, volume)
    shifted = np.append(ratios[1:], 0.0)
    return float(np.sum(ratios ** (volume - area) * shifted**area) / weights.sum())


def theta_ratio(beta: float, volume: int, theta: float) -> float:
    """`Z(theta) / Z(0) = <exp(i theta Q)>`, with Q the topological charge."""
    zero, shifted = _theta_sums(beta, volume, np.array([0.0, theta]))
    return float(shifted / zero)


def charge_distribution(beta: float, volume: int) -> dict[int, float]:
    """The probability P(Q) of each topological charge Q, to about 1e-10; others have less.

    |Q| <= V / 2, so Z(theta) is a trigonometric polynomial, and a discrete Fourier transform on
    more than 2 max|Q| points inverts it exactly.
    """
    _check(beta, volume)
    # A plaquette angle has variance pi^2 / 3 at most: 10 standard deviations of their sum.
    largest = min(volume // 2, 10 + int(10 * np.sqrt(volume / 12)))
    points = 2 * largest + 1
    transform = _theta_sums(beta, volume, 2 * np.pi * np.arange(largest + 1) / points)
    probability = np.maximum(np.fft.irfft(transform, points), 0.0)
    probability /= probability.sum()
    return {q: float(probability[q % points]) for q in range(-largest, largest + 1)}


def charge_squared(beta: float, volume: int) -> float:
    """`<Q^2> = -d^2 log Z / d theta^2` at theta = 0."""
    return sum(q**2 * p for q, p in charge_distribution(beta, volume).items())


def charge_squared_std(beta: float, volume: int) -> float:
    """Standard deviation of Q^2."""
    distribution = charge_distribution(beta, volume)
    fourth = sum(q**4 * p for q, p in distribution.items())
    return float(np.sqrt(max(fourth - charge_squared(beta, volume) ** 2, 0.0)))


def exact_observables(beta: float, volume: int) -> dict[str, float]:
    """The exact means of what `Wilson.observables` measures in two-dimensional U(1)."""
    return {
        "plaquette": plaquette(beta, volume),
        "charge": 0.0,
        "charge_squared": charge_squared(beta, volume),
    }


def _weights(beta: float, volume: int) -> tuple[np.ndarray, np.ndarray]:
    """I_n / I_0 for n = -N .. N, and its V-th powers; terms beyond are below rounding."""
    _check(beta, volume)
    order = _largest_order(beta)
    ratios = ive(np.abs(np.arange(-order, order + 1)), beta) / ive(0, beta)
    return ratios, ratios**volume


def _check(beta: float, volume: int) -> None:
    if not beta >= 0:
        raise ValueError(f"beta {beta}: must not be negative")
    if volume < 4:
        raise ValueError(f"volume {volume}: a torus has at least 2 x 2 plaquettes")


def _largest_order(beta: float) -> int:
    """An order n where (I_n / I_0)^4 is below rounding; I_n falls at least like exp(-n^2 / 2 beta)
    as long as n < beta, and like (beta / 2)^n / n! beyond."""
    return 40 + int(12 * np.sqrt(beta))


def _neighbours(ratios: np.ndarray, distance: int) -> np.ndarray:
    """(I_{n - distance} + I_{n + distance}) / 2, zero beyond the ends."""
    padded = np.pad(ratios, distance)
    return (padded[: -2 * distance] + padded[2 * distance :]) / 2


def _theta_sums(beta: float, volume: int, theta: np.ndarray) -> np.ndarray:
    """sum_n (I(n + theta / 2 pi) / I_0)^V for each theta, up to one common factor.

    At non-integer orders I(nu) has a tail exp(-beta) sin(pi nu) / (pi nu), from the ends of the
    interval, which sets the number of terms on small volumes.
    """
    _check(beta, volume)
    tail = int(min(10 ** (16 / volume), _MAX_ORDER))
    order = max(_largest_order(beta), tail)
    nodes, node_weights = roots_legendre(60 + 2 * order)
    # The integrand is even in phi: integrate over [0, pi].
    phi = np.pi * (nodes + 1) / 2
    density = node_weights / 2 * np.exp(beta * (np.cos(phi) - 1))
    density /= density.sum()
    n = np.arange(-order, order + 1)
    # cos((n + a) phi) = cos(n phi) cos(a phi) - sin(n phi) sin(a phi): two matrix products.
    shift = theta[:, None] / (2 * np.pi) * phi
    waves = n[:, None] * phi
    continued = (density * np.cos(shift)) @ np.cos(waves).T
    continued -= (density * np.sin(shift)) @ np.sin(waves).T
    return np.sum(continued**volume, axis=1)
