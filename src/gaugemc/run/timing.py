"""Seconds per draw of several samplers, measured side by side because machines are noisy."""

import time
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key

from gaugemc.chains.driver import chunks
from gaugemc.run.chain_phase import PhaseResult
from gaugemc.run.processes import agreed


class Timing(NamedTuple):
    """Medians over the rounds."""

    seconds: list[float]
    """Per draw of all chains, for each sampler."""
    ratio_errors: list[float]
    """Relative errors of the ratio of the first to each: half its interquartile range."""


def time_draws(
    samplers: list[PhaseResult], key: Key[Array, ""], rounds: int, burst_seconds: float = 0.3
) -> Timing:
    """Run short bursts of each sampler in turn, `rounds` times, after one that is not counted."""
    bursts = []
    for chains in samplers:
        guess = chains.seconds / max(1, chains.draws.info.accepted.shape[1])
        bursts.append(int(np.clip(burst_seconds / max(guess, 1e-6), 1, 2000)))
    bursts = [int(burst) for burst in agreed(np.asarray(bursts))]
    table = np.empty((rounds + 1, len(samplers)))
    for row in table:
        for column, (chains, burst) in enumerate(zip(samplers, bursts)):
            started = time.perf_counter()
            for _, samples in chunks(chains.sampler, key, chains.states, burst, burst):
                jax.block_until_ready(samples.states)
            row[column] = (time.perf_counter() - started) / burst
    table = table[1:]
    ratios = table[:, :1] / table
    low, middle, high = np.percentile(ratios, [25, 50, 75], axis=0)
    return Timing(np.median(table, axis=0).tolist(), ((high - low) / 2 / middle).tolist())
