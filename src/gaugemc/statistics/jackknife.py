"""Errors of functions of means, by the jackknife."""

from collections.abc import Callable

import numpy as np


def blocks(series: np.ndarray, least: int = 8) -> np.ndarray:
    """Means of blocks of draws, as good as independent where draws are not.

    Args:
        series: of shape [chain, draw, ...].
        least: a block is a chain, or a part of one where there are fewer chains than this. Parts
            are equally long; what is left over at the start of a chain is left out.

    Returns:
        Of shape [block, ...].
    """
    chains, draws = series.shape[:2]
    parts = min(draws, -(-least // chains))
    kept = series[:, draws % parts :]
    return np.stack([b.mean(axis=0) for chain in kept for b in np.split(chain, parts)])


def jackknife(
    samples: np.ndarray, function: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """A function of the mean of independent samples, and its error (Efron 1982).

    Args:
        samples: of shape [sample, ...], independent of each other: chains, or far configurations.
        function: of the mean, whose shape is that of one sample.

    Returns:
        The value, and its error; of a single sample the error is NaN.
    """
    n = len(samples)
    value = np.asarray(function(np.mean(samples, axis=0)))
    if n < 2:
        return value, np.full(value.shape, np.nan)
    without = np.array([function(np.mean(np.delete(samples, i, axis=0), axis=0)) for i in range(n)])
    return value, np.asarray(np.sqrt((n - 1) * np.var(without, axis=0)))
