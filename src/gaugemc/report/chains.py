"""The chains of a run as arrays, and what the figures take from them."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from gaugemc.chains.measurement import due_draws
from gaugemc.io.ensemble import read_draws
from gaugemc.statistics.autocorrelation import entries
from gaugemc.statistics.jackknife import blocks

HISTORY_CHAINS = 3


@dataclass(frozen=True)
class Chains:
    """The observables of one sampler's chains, with its name and colour in every figure.

    `observables` maps a name, or that of an entry of an array, to an array of shape [chain, draw];
    `colour` is a key of `style.PALETTE`; `warmup` is the number of draws thrown away before the
    first one. Observables in `dear` were measured on every `every`-th draw since the start.
    """

    label: str
    colour: str
    observables: Mapping[str, Float[np.ndarray, "chain draw"]]
    warmup: int = 0
    every: int = 1
    dear: frozenset[str] = frozenset()

    @classmethod
    def read(cls, path: pathlib.Path, label: str, colour: str) -> Chains:
        """Read `chains/*.h5` of a run; ValueError names a file that is not readable as such."""
        draws, attributes = read_draws(path)
        arrays = {n: np.asarray(a, np.float64) for n, a in draws.observables.items() if a.ndim > 1}
        found = {name: array for name, array in entries(arrays).items() if array.size}
        warmup, every = (int(attributes.get(*k)) for k in (("warmup", 0), ("measure_every", 1)))
        due = due_draws(warmup, every)
        dear = frozenset(n for n, a in found.items() if every > 1 and only_on(due, a))
        measured = {n: a[:, due] if n in dear else a for n, a in found.items()}
        return cls(label, colour, measured, warmup, every, dear)

    def step(self, name: str) -> int:
        """The number of draws from one measurement of an observable to the next."""
        return self.every if name in self.dear else 1

    def draws_of(self, name: str) -> Int[np.ndarray, " draw"]:
        """The draws, counted after warm-up, on which an observable was measured."""
        first = due_draws(self.warmup, self.step(name)).start
        return first + self.step(name) * np.arange(self.observables[name].shape[1])

    @property
    def draws(self) -> int:
        """The number of draws of a chain, up to the last that was measured."""
        return max(int(self.draws_of(name)[-1]) + 1 for name in self.observables)


def only_on(due: slice, series: Float[np.ndarray, "chain draw"]) -> bool:
    """Whether a series has numbers on some draws alone, and NaN between."""
    between = np.ones(series.shape[1], bool)
    between[due] = False
    return bool(np.all(np.isnan(series[:, between])))


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
    """Frequency of each topological sector, and its error from the spread of `blocks`."""
    there = np.rint(charge)[..., None] == values
    mean, visits = there.mean(axis=(0, 1)), blocks(there)
    count = len(visits)
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
