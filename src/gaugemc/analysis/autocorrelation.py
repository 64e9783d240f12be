"""Means, errors and autocorrelation times of many chains: the Gamma method (hep-lat/0306017)."""

import warnings
from typing import NamedTuple

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it imports scipy.odr
    import pyerrors

LONG_ENOUGH = 20
"""A chain of fewer than this many tau_int bounds tau_int, and so the error, only from below."""


class Estimate(NamedTuple):
    """The mean of an observable over all chains, with its cost in correlated draws."""

    mean: float
    error: float
    tau_int: float
    """Integrated autocorrelation time in draws, 1/2 for independent draws, less for antithetic."""
    tau_int_error: float
    lower_bound: bool
    """Whether the chains are too short for their tau_int (or never moved)."""
    reason: str = ""


def estimate(samples: np.ndarray) -> Estimate:
    """Analyse samples of shape [chain, draw]; chains are replicas of one ensemble.

    Fluctuations are taken about the mean of all chains, so that chains which are each stuck
    somewhere else do not look precise.
    """
    samples = np.asarray(samples, np.float64)
    chains, draws = samples.shape
    mean = float(samples.mean())
    if np.all(samples == samples[:, :1]):  # no chain ever moved
        spread = float(samples[:, 0].std(ddof=1) / np.sqrt(chains)) if chains > 1 else 0.0
        return Estimate(mean, spread, draws / 2, float("inf"), True)
    observable = gamma_method(samples - mean)
    rho = observable.e_rho["chain"]
    if len(rho) > 1 and rho[1] < 0:
        tau, tau_error = antithetic_tau(rho, chains, draws)
        error = float(np.sqrt(2 * tau * samples.var() / samples.size))
        # Alternation can be as slow as any other mode: the same method on the series without it.
        alternating = gamma_method((samples - mean) * (-1.0) ** np.arange(draws))
        slowest = max(tau, float(alternating.e_tauint["chain"]))
    else:
        tau, tau_error = observable.e_tauint["chain"], observable.e_dtauint["chain"]
        error, slowest = float(observable.dvalue), tau
    return Estimate(mean, error, float(tau), float(tau_error), not draws >= LONG_ENOUGH * slowest)


def gamma_method(deviations: np.ndarray) -> pyerrors.Obs:
    """The Gamma-method analysis of an observable with mean 0, from an array [chain, draw]."""
    names = [f"chain|r{c:04d}" for c in range(len(deviations))]
    observable = pyerrors.Obs(list(deviations), names, means=[0.0] * len(deviations))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short chains: judged by the caller
        observable.gamma_method(S=2.0)
    return observable


def antithetic_tau(rho: np.ndarray, chains: int, draws: int) -> tuple[float, float]:
    """tau_int and its error from a correlation function that begins with a negative value.

    The window of the Gamma method would close there, whatever comes behind. Of a reversible chain
    the sums of two neighbours, rho(2k) + rho(2k + 1), are positive, so they are added up until one
    is not (Geyer, Statist. Sci. 7 (1992) 473, section 3.3). Below 1/2 for antithetic draws.
    """
    pairs = rho[: len(rho) // 2 * 2].reshape(-1, 2).sum(axis=1)
    window = int(np.argmax(pairs <= 0)) or len(pairs)
    # The first and the last draw of a chain are never balanced.
    tau = max(float(pairs[:window].sum()) - 0.5, 0.5 / draws)
    return tau, 2 * tau * float(np.sqrt((2 * window + 0.5 - min(tau, 0.5)) / (chains * draws)))


def r_hat(samples: np.ndarray) -> float:
    """Potential scale reduction of chains [chain, draw], each split in halves (1903.08008).

    Near 1 where the chains have forgotten their (hot or cold) starts; infinite where none moves.
    """
    half = samples.shape[1] // 2
    if half < 2:
        return float("nan")
    parts = np.concatenate([samples[:, :half], samples[:, -half:]]).astype(np.float64)
    within = parts.var(axis=1, ddof=1).mean()
    between = parts.mean(axis=1).var(ddof=1)
    if within == 0:
        return 1.0 if between == 0 else float("inf")
    return float(np.sqrt((half - 1) / half + between / within))


def z_score(result: Estimate, exact: float) -> float | None:
    """Deviation from the exact value in standard errors; None where the error is unknown."""
    return (result.mean - exact) / result.error if result.error > 0 else None
