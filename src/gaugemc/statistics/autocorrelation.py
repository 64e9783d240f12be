"""Means, errors and autocorrelation times of many chains, with errors that cover.

Two measurements of one error stand side by side. The Gamma method (hep-lat/0306017) adds up the
autocorrelations in a window. The window closes on the fast modes, and a slow mode with a hundredth
of the variance stays outside. The spread of the chains' means sees every mode, but has the noise
of a variance of few numbers. The larger error counts, and an estimate that neither of the two can
vouch for is called a bound.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import fdtrc

LONG_ENOUGH = 50
"""Chains must be shown, by two errors of tau_int, to have this many tau_int."""
SHORTEST = 20
"""Chains with fewer tau_int of an observable are too short for it, and others may depend on it."""
NEVER_MOVED = "no chain ever moved"
FEWEST_CHAINS = 4
"""Fewer chains cannot show what a slow mode does (1903.08008, section 4)."""
R_HAT_LIMIT = 1.1
"""Chains whose R-hat is larger have not forgotten their starts."""
_LUCK, _SURE = 0.2, 0.01
"""Probability of a spread as large as that seen: below the first the spread's own noise enters the
error, below the second a slow mode is taken for certain."""

ChainDraws = Float[np.ndarray, "chain draw"]


class Estimate(NamedTuple):
    """The mean of an observable over all chains, with its cost in correlated draws."""

    mean: float
    error: float
    tau_int: float
    """Integrated autocorrelation time in draws, 1/2 for independent draws, less for antithetic."""
    tau_int_error: float
    lower_bound: bool
    """Whether error and tau_int are only lower bounds."""
    reason: str = ""
    """Why they are; empty where they are not."""
    r_hat: float = math.nan
    """R-hat of the chains, NaN where there are too few draws for it."""


def estimate(samples: np.ndarray) -> Estimate:
    """Analyse samples of shape [chain, draw]; chains are replicas of one ensemble.

    One axis alone is one chain, whose estimate is always a bound. Samples that are not finite give
    NaN, which is called a bound too. Of samples of shape [chain, draw, ...] every entry is
    analysed for itself, and the fields of the estimate are arrays of the shape of the other axes.

    Raises:
        ValueError: there are no samples, or they are not real numbers.
    """
    samples = np.asarray(samples)
    if samples.dtype.kind not in "biuf" or 0 in samples.shape or samples.ndim == 0:
        raise ValueError(
            f"samples of type {samples.dtype} and shape {samples.shape}: an estimate needs real "
            "numbers [chain, draw]; analyse real and imaginary parts apart"
        )
    if samples.ndim > 2:
        axes = samples.shape[2:]
        table = [estimate(samples[:, :, *index]) for index in np.ndindex(axes)]
        return Estimate._make(np.array(column).reshape(axes) for column in zip(*table))
    return _estimate_scalar(np.atleast_2d(samples))


def entries(observables: Mapping[str, np.ndarray]) -> dict[str, ChainDraws]:
    """Every number that was measured, [chain, draw]: `loop[0,1]` is an entry of an array `loop`."""
    return {
        name + (f"[{','.join(map(str, index))}]" if index else ""): values[:, :, *index]
        for name, values in observables.items()
        for index in np.ndindex(values.shape[2:])
    }


def estimates_of(
    observables: Mapping[str, np.ndarray], leading: Sequence[str] = ()
) -> dict[str, Estimate]:
    """The estimates of all `entries` of what a run measured.

    All of them are bounds while chains are too short for one of the `leading` observables, since
    every observable may depend on that one: in two-dimensional U(1) the plaquette depends on |Q|.
    """
    measured = entries(observables)
    found = {name: estimate(samples) for name, samples in measured.items()}
    reason = next(
        (why for n in leading if n in found if (why := slow(n, found[n], measured[n].shape[1]))), ""
    )
    if not reason:
        return found
    return {
        name: e if e.lower_bound else e._replace(lower_bound=True, reason=reason)
        for name, e in found.items()
    }


def slow(name: str, found: Estimate, draws: int) -> str:
    """That chains of so many draws never moved an observable, or are too short for it; "" else."""
    spoken = name.replace("_", " ")
    if math.isnan(found.tau_int):
        return f"{spoken}: {found.reason}"
    if found.reason == NEVER_MOVED:
        return f"{spoken} is frozen"
    return "" if draws >= SHORTEST * found.tau_int else f"chains are too short for {spoken}"


def _estimate_scalar(samples: np.ndarray) -> Estimate:
    precision = np.finfo(samples.dtype).eps if samples.dtype.kind == "f" else 2.0**-52
    samples = samples.astype(np.float64)
    chains, draws = samples.shape
    infinite = int(np.sum(~np.isfinite(samples)))
    if infinite:
        nan = math.nan
        return Estimate(
            nan, nan, nan, nan, True, f"{infinite} of {samples.size} draws are not finite"
        )
    # Squares of very small and very large numbers leave the range of floating point.
    largest = np.abs(samples).max()
    scale = float(2.0 ** math.frexp(largest)[1]) if 0 < largest < 2.0**1023 else 2.0**1023
    samples = samples / scale if largest > 0 else samples
    mean, mixing = float(samples.mean()), r_hat(samples)
    deviations = samples - mean
    rounding = 4 * precision * np.abs(samples).max()
    spread = float(samples.mean(axis=1).std(ddof=1)) / math.sqrt(chains) if chains > 1 else 0.0
    if np.all(np.abs(samples - samples[:, :1]) <= rounding):
        error = spread * scale if spread > rounding else 0.0
        why = NEVER_MOVED if draws > 1 else "one draw shows no motion"
        return Estimate(mean * scale, error, draws / 2, math.inf, True, why, mixing)
    window = gamma_method(deviations)
    variance = float(np.mean(deviations**2))
    error, tau, tau_error, reasons = max(window.error, spread), window.tau, window.tau_error, []
    if chains < FEWEST_CHAINS:
        reasons.append(f"{chains} chain{'s'[: chains - 1]} cannot show what is slow")
    luck = probability_of_spread(spread, chains, window)
    if luck < _LUCK and chains >= FEWEST_CHAINS:
        error = spread * math.sqrt((chains - 1) / (chains - 3))  # the width of Student's t
    if luck < _SURE:
        tau = spread**2 * samples.size / (2 * variance)
        tau_error = tau * math.sqrt(2 / (chains - 1))
        reasons.append("chains differ by more than their draws explain")
    if not draws >= LONG_ENOUGH * (window.tau + 2 * window.tau_error):
        reasons.append(f"chains may be shorter than {LONG_ENOUGH} tau")
    elif not draws >= SHORTEST * tau:
        reasons.append(f"chains are shorter than {SHORTEST} tau")
    if not tau_error < tau:
        reasons.append("tau is not known")
    if mixing > R_HAT_LIMIT:
        reasons.append(f"R-hat is {mixing:.3g}")
    why = "; ".join(reasons)
    return Estimate(mean * scale, error * scale, tau, tau_error, bool(reasons), why, mixing)


class Window(NamedTuple):
    """What the Gamma method says: the error of the mean, tau_int and its error."""

    error: float
    tau: float
    tau_error: float


def gamma_method(deviations: ChainDraws) -> Window:
    """The Gamma method, of draws averaged in pairs of neighbours.

    `deviations` have the mean 0 over all chains. Chains that are each stuck somewhere else then
    look correlated, and not precise.

    The last draw of a chain is paired with the first, so averages have the same mean as the draws,
    and the mean's error is theirs. Averages do not alternate: where the correlation of neighbours
    is negative, windows close at once, and sums of correlations are differences of large numbers.
    For an AR(1) process with a memory near -1 the averages are nearly independent.
    """
    chains, draws = deviations.shape
    pairs = (deviations + np.roll(deviations, -1, axis=1)) / 2
    square = float(np.mean(pairs**2))
    if draws < 8:
        return Window(math.sqrt(square / chains), draws / 2, math.inf)
    if square == 0:  # draws that alternate exactly: their sum is as sure as can be
        return Window(0.0, 1 / draws, math.inf)
    names = [f"chain|r{c:04d}" for c in range(chains)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short chains: judged by the caller
        import pyerrors  # which takes a second

        analysed = pyerrors.Obs(list(pairs), names, means=[0.0] * chains)
        analysed.gamma_method(S=2.0)
    share = square / float(np.mean(deviations**2))
    tau = float(analysed.e_tauint["chain"]) * share
    # Correlations that alternate make the sum depend on where the window ends.
    end = analysed.e_windowsize["chain"]
    after = np.abs(analysed.e_rho["chain"][end : end + 2]).max()
    tau_error = math.hypot(analysed.e_dtauint["chain"], after) * share
    return Window(float(analysed.dvalue), tau, tau_error)


def probability_of_spread(spread: float, chains: int, window: Window) -> float:
    """How probable a spread of chain means is, if the window holds all modes: an F-test."""
    if chains < 2 or not math.isfinite(window.tau_error) or window.error == 0:
        return 1.0
    freedom = 2 * (window.tau / max(window.tau_error, 1e-9 * window.tau)) ** 2
    return float(fdtrc(chains - 1, freedom, (spread / window.error) ** 2))


def r_hat(samples: np.ndarray) -> float:
    """Potential scale reduction of chains [chain, draw], each split in halves (1903.08008).

    The larger of two: that of the samples, and that of their distances from the median, which sees
    chains of different widths, such as chains that rest where others move. Near 1 where the chains
    have forgotten their (hot or cold) starts; infinite where none moves.
    """
    samples = np.asarray(samples, np.float64)
    return max(_split_r_hat(samples), _split_r_hat(np.abs(samples - np.median(samples))))


def _split_r_hat(samples: ChainDraws) -> float:
    half = samples.shape[1] // 2
    if half < 2:
        return math.nan
    parts = np.concatenate([samples[:, :half], samples[:, -half:]])
    within = parts.var(axis=1, ddof=1).mean()
    between = parts.mean(axis=1).var(ddof=1)
    if within == 0:
        return 1.0 if between == 0 else math.inf
    return float(np.sqrt((half - 1) / half + between / within))


def z_score(result: Estimate, exact: float) -> float | None:
    """Deviation from the exact value in standard errors; None where the error is unknown."""
    return (result.mean - exact) / result.error if result.error > 0 else None
