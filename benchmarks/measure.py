"""How benchmarks measure: medians of alternating rounds, in one process, with their spread."""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gaugemc.chains.driver import Chunk, advance, start_chains
from gaugemc.samplers import Sampler

ROUNDS = 9

Call = Callable[[], Any]


class Row(NamedTuple):
    """One number of the table."""

    what: str
    value: float | None
    spread: float | None = None
    """Half the interquartile range over the rounds, or the error of a run's ratio."""
    target: str | None = None
    peer: float | str | None = None
    """The number of another program, from shared measurements or measured beside ours."""
    bound: bool = False
    """Whether the value is a lower bound, because HMC's chains are too short for its tau_int."""


def seconds(call: Call) -> float:
    """Wall time of one call, to the end of its computation."""
    started = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - started


def spread_of(values: list[float]) -> float:
    """Half the interquartile range."""
    low, high = np.percentile(values, [25, 75])
    return float(high - low) / 2


def timed(call: Call, rounds: int = ROUNDS) -> tuple[float, float]:
    """Median seconds of a call and their spread, after a call that compiles."""
    jax.block_until_ready(call())
    times = [seconds(call) for _ in range(rounds)]
    return statistics.median(times), spread_of(times)


def paired(first: Call, second: Call, rounds: int = ROUNDS) -> tuple[float, float]:
    """Median and spread of the ratio of seconds, first over second, in alternating rounds."""
    jax.block_until_ready((first(), second()))
    ratios = [seconds(first) / seconds(second) for _ in range(rounds)]
    return statistics.median(ratios), spread_of(ratios)


def draws(sampler: Sampler, chains: int, length: int) -> Call:
    """`length` draws of all chains, through the driver's compiled call."""
    chunk = Chunk(sampler, jax.random.key(1), jnp.asarray(0), jnp.asarray(length))
    states = start_chains(sampler, jax.random.key(0), chains)

    def call() -> Any:
        nonlocal states
        states, measured = advance(chunk, states)
        return measured

    return call
