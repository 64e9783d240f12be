"""Burn-in: the draws after which chains from hot and from cold starts agree."""

import numpy as np
from jaxtyping import Bool
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import stdtrit

from gaugemc.statistics.autocorrelation import ChainDraws, r_hat

WINDOWS = 10
"""A window has one such part of the draws."""
CHANCE = 2.5e-4
"""Of chains that agree differing in one window; in any of all windows they then do in 1 of 20."""
APART = 2.0
"""R-hat of chains that have not mixed, whatever their means."""


def burn_in(series: ChainDraws, hot: int) -> int | None:
    """How many draws to discard until chains with hot and with cold starts agree, and stay so.

    Compared are means over windows of a tenth of the draws, of the observable and of its distance
    from the median. The second sees chains of other widths (1903.08008). The difference of hot and
    cold chains must lie within its error times Student's t. The error is that of the spread of the
    chains of each start (Welch 1947) in the windows of the second half. The t is such that chains
    from one ensemble differ in any window with a probability of about 5%. Few chains that hardly
    move may agree by chance, so the R-hat of the second half must be below 2 too.

    Args:
        series: of shape [chain, draw], from the first draw on.
        hot: the number of chains with a hot start, which come first. There are at least two, and at
            least two cold ones.

    Returns:
        The draws before the first window from which on all agree; None where the last does not, or
        where chains are apart.
    """
    window = max(1, series.shape[1] // WINDOWS)
    late = series[:, series.shape[1] // 2 :]
    if np.ptp(late) > 0 and r_hat(late) > APART:
        return None
    deviations = series - np.median(late)
    agree = _agree(deviations, hot, window) & _agree(np.abs(deviations), hot, window)
    first = agree.size - int(np.argmin(agree[::-1])) if not agree.all() else 0
    return first if first < agree.size else None


def _agree(series: ChainDraws, hot: int, window: int) -> Bool[np.ndarray, " window"]:
    """Whether hot and cold chains agree in the window that begins at each draw."""
    means = sliding_window_view(series, window, axis=1).mean(axis=-1)
    starts = (means[:hot], means[hot:])
    difference = np.abs(starts[0].mean(axis=0) - starts[1].mean(axis=0))
    late = means.shape[1] // 2
    squares = np.array([s[:, late:].var(axis=0, ddof=1).mean() / len(s) for s in starts])
    freedom = np.array([len(s) - 1 for s in starts]) * WINDOWS / 2
    error, welch = np.sqrt(squares.sum()), (squares**2 / freedom).sum()
    t = stdtrit(squares.sum() ** 2 / welch, 1 - CHANCE / 2) if welch > 0 else 0.0
    return difference <= t * error + 1e-6 * np.abs(series).max()
