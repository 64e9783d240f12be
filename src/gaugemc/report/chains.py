"""The chains of a run as arrays, and what the figures take from them."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gaugemc.io.ensemble import read_draws

HISTORY_CHAINS = 3


@dataclass(frozen=True)
class Chains:
    """The observables of one sampler's chains, with its name and colour in every figure.

    `observables` maps a name to an array of shape [chain, draw]; `colour` is a key of
    `style.PALETTE`; `warmup` is the number of draws thrown away before the first one.
    """

    label: str
    colour: str
    observables: Mapping[str, Float[np.ndarray, "chain draw"]]
    warmup: int = 0

    @classmethod
    def read(cls, path: pathlib.Path, label: str, colour: str) -> Chains:
        """Read `chains/*.h5` of a run; ValueError names a file that is not readable as such."""
        draws, attributes = read_draws(path)
        arrays = {name: np.asarray(a, np.float64) for name, a in draws.observables.items()}
        scalars = {name: array for name, array in arrays.items() if array.ndim == 2 and array.size}
        return cls(label, colour, scalars, int(attributes.get("warmup", 0)))


def autocorrelation(
    series: Float[np.ndarray, "chain draw"], lags: int
) -> Float[np.ndarray, " lag"]:
    """Normalised autocorrelation function rho(t), t = 0 ... lags - 1, averaged over chains.

    The mean is taken over all chains together: a chain that is frozen away from the others' mean
    then shows up as correlated, and not as noise. NaN where the series is constant. The FFT is
    zero-padded, so no lag wraps around.
    """
    draws = series.shape[1]
    lags = min(lags, draws)
    deviation = series - series.mean()
    spectrum = np.fft.rfft(deviation, n=2 * draws, axis=1)
    sums = np.fft.irfft(np.abs(spectrum) ** 2, n=2 * draws, axis=1)[:, :lags]
    covariance = sums.mean(axis=0) / (draws - np.arange(lags))
    # Rounding leaves a variance of order eps^2 <x^2> on a constant series.
    if covariance[0] <= 1e-24 * max(float(np.mean(series**2)), 1e-300):
        return np.full(lags, np.nan)
    return covariance / covariance[0]


def sector_frequencies(
    charge: Float[np.ndarray, "chain draw"], values: Float[np.ndarray, " sector"]
) -> tuple[Float[np.ndarray, " sector"], Float[np.ndarray, " sector"]]:
    """Frequency of each topological sector, and its error from the spread of eight blocks or more.

    A block is a chain, or a part of one where there are fewer than eight chains.
    """
    chains, draws = charge.shape
    parts = min(draws, -(-8 // chains))
    blocks = [block for chain in charge for block in np.array_split(chain, parts)]
    visits = np.stack([(np.rint(block)[:, None] == values).mean(axis=0) for block in blocks])
    mean = (np.rint(charge)[..., None] == values).mean(axis=(0, 1))
    count = len(blocks)
    error = (
        visits.std(axis=0, ddof=1) / np.sqrt(float(count))
        if count > 1
        else np.full_like(mean, np.nan)
    )
    return mean, error


def is_integer_charge(run: Chains) -> bool:
    """Whether the run has a topological charge that is an integer up to rounding."""
    charge = run.observables.get("charge")
    return charge is not None and bool(np.all(np.abs(charge - np.rint(charge)) < 1e-3))


def shown_chains(chains: int) -> list[int]:
    """A few chains spread over all of them, so that hot and cold starts both show."""
    return sorted({round(i) for i in np.linspace(0, chains - 1, min(chains, HISTORY_CHAINS))})
