"""Whether error bars cover: 1000 repetitions of each series, of known mean.

Widths are the root mean square of z = (mean - exact) / error over the estimates that are no bounds,
1 where errors are right. Its own standard error is 0.022. `pytest -s` prints the table of
docs/exactness.md.
"""

import zlib
from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import lfilter

from gaugemc.statistics.autocorrelation import estimate

pytestmark = pytest.mark.slow

REPETITIONS = 1000
SHAPES = [(1, 1000), (8, 500), (64, 500), (16, 2000)]
MEMORIES = {"tau 0.5": 0.0, "tau 5": 9 / 11, "tau 50": 99 / 101}
MEMORIES |= {f"r {r}": r for r in (-0.5, -0.8, -0.9, -0.95)}


def autoregressive(rng: np.random.Generator, memory: float, chains: int, draws: int) -> np.ndarray:
    """Stationary AR(1) chains of unit variance and mean 0."""
    noise = rng.normal(size=(chains, draws)) * np.sqrt(1 - memory**2)
    noise[:, 0] /= np.sqrt(1 - memory**2)
    return np.asarray(lfilter([1.0], [1.0, -memory], noise, axis=1))


def repeat(
    name: str, make: Callable[[np.random.Generator], np.ndarray]
) -> tuple[float, float, float, float]:
    """Of all repetitions: the share that is flagged, and of the others the width of z and the
    number with |z| > 4; last the width over all, flagged or not."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    table = [estimate(make(rng)) for _ in range(REPETITIONS)]
    z = np.array([e.mean / e.error for e in table])
    flagged = np.array([e.lower_bound for e in table])
    width = np.sqrt(np.mean(z[~flagged] ** 2)) if not flagged.all() else np.nan
    wild = int(np.sum(np.abs(z[~flagged]) > 4))
    everywhere = np.sqrt(np.mean(z**2))
    print(f"| {name} | {flagged.mean():.3f} | {width:.2f} | {wild} | {everywhere:.2f} |")
    return float(flagged.mean()), float(width), wild, float(everywhere)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("process", MEMORIES)
def test_errors_of_autoregressive_chains_cover(process: str, shape: tuple[int, int]) -> None:
    """Chains that can tell are seldom flagged, those that cannot always; the others cover.

    A single chain is always flagged. The errors of its estimates cover where it is long enough.
    """
    memory, (chains, draws) = MEMORIES[process], shape
    flagged, width, _, everywhere = repeat(
        f"{process}, {chains} x {draws}", lambda rng: autoregressive(rng, memory, chains, draws)
    )
    long_enough = draws >= 50 * (1 + memory) / (1 - memory) / 2
    if not long_enough or chains == 1:
        assert flagged >= 0.99
    if long_enough and chains >= 16:
        assert flagged <= 0.05
    if long_enough:
        assert abs((everywhere if chains == 1 else width) - 1) < 0.15


@pytest.mark.parametrize("shape", [(16, 300), (16, 2000), (64, 500), (64, 2000)], ids=str)
@pytest.mark.parametrize("process", ["tau 0.5", "tau 5", "r -0.9"])
def test_a_frozen_hundredth_of_the_variance_is_not_missed(
    process: str, shape: tuple[int, int]
) -> None:
    """No unflagged estimate but one in a thousand is more than four errors off."""
    memory, (chains, draws) = MEMORIES[process], shape

    def make(rng: np.random.Generator) -> np.ndarray:
        fast = autoregressive(rng, memory, chains, draws)
        return np.sqrt(0.99) * fast + 0.1 * rng.normal(size=(chains, 1))

    wild = repeat(f"{process} and 1 % frozen, {chains} x {draws}", make)[2]
    assert wild <= 1
