"""Compiled kernels of SU(3) beside XLA's code for the same: docs/performance.md.

    python benchmarks/native.py [extent]

Both run in one process in turn, on extent^4 sites (8^4 by default). The force is timed as a
trajectory uses it: the time that further steps of a leapfrog take, each a force, a kick and a
drift, without a conversion of layouts. The limit is a product of matrices of 1024 x 1024.
"""

import itertools
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from measure import Row, draws, seconds
from rich.console import Console
from rich.table import Table

from gaugemc.groups import SUN
from gaugemc.kernels import native
from gaugemc.samplers import HMC, LEAPFROG, OMELYAN, Heatbath
from gaugemc.samplers.hmc.integrator import PhasePoint
from gaugemc.spaces import Links
from gaugemc.theories import Improved, Wilson

ROUNDS = 5
STEPS = 10
REFLECTIONS = 4


ACTIONS = {"Wilson": (Wilson, 13 * 27 * 8), "Iwasaki": (partial(Improved, c1=-0.331), 30 * 27 * 8)}
"""With the operations of a force on one link: 13 products of matrices, 30 with rectangles."""


def theories(action: str, extent: int, real: DTypeLike) -> tuple[Wilson, Wilson]:
    """The same theory: compiled, and XLA's."""
    links = (Links(group, (extent,) * 4, real) for group in (SUN(3), SUN(3, native=False)))
    compiled, plain = (ACTIONS[action][0](space, 5.7) for space in links)
    return compiled, plain


def in_turn(calls: list[Callable[[], object]]) -> list[float]:
    """Median seconds of each call."""
    jax.block_until_ready([call() for call in calls])
    times = [[seconds(call) for call in calls] for _ in range(ROUNDS)]
    return [statistics.median(column) for column in zip(*times)]


def forces(action: str, extent: int, chains: int, real: DTypeLike) -> tuple[float, float, float]:
    """Links per second, compiled and XLA's, and the limit in operations per second."""
    n = 1024
    matrix = jax.random.normal(jax.random.key(0), (n, n), real)
    calls: list[Callable[[], object]] = [lambda: matrix @ matrix]
    for theory in theories(action, extent, real):
        space = theory.space
        keys = jax.random.split(jax.random.key(1), chains)
        v = jax.vmap(space.random_momentum)(keys)
        x = jax.jit(jax.vmap(lambda v, s=space: s.move(s.origin(), v, 0.3)))(v)
        start = PhasePoint(x, v, jax.jit(jax.vmap(theory.force))(x))
        run = eqx.filter_jit(lambda hmc, start: jax.vmap(hmc.trajectory)(start))
        for steps in (2, 8):
            hmc = HMC(theory, 0.02, steps, LEAPFROG)
            calls.append(lambda hmc=hmc, start=start, run=run: run(hmc, start))
    limit, short, long, plain_short, plain_long = in_turn(calls)
    links = 6 * chains * theories(action, extent, real)[0].space.n_links
    return links / (long - short), links / (plain_long - plain_short), 2 * n**3 / limit


def hmc(action: str, extent: int, chains: int, real: DTypeLike) -> tuple[float, float]:
    """Link updates (links times forces) per second of whole draws, compiled and XLA's."""
    samplers = (HMC(theory, 0.02, STEPS, OMELYAN) for theory in theories(action, extent, real))
    return updates(samplers, 2 * STEPS, chains)


def heatbath(action: str, extent: int, chains: int, real: DTypeLike) -> tuple[float, float]:
    """Link updates per second of whole draws, compiled and XLA's."""
    samplers = (Heatbath(theory, REFLECTIONS) for theory in theories(action, extent, real))
    return updates(samplers, 1 + REFLECTIONS, chains)


def updates(samplers: Iterable[HMC | Heatbath], sweeps: int, chains: int) -> tuple[float, float]:
    """Link updates per second, where a draw updates every link so many times."""
    ours, theirs = samplers
    times = in_turn([draws(sampler, chains, 1) for sampler in (ours, theirs)])
    space = ours.theory.space
    assert isinstance(space, Links)
    links = sweeps * chains * space.n_links
    return links / times[0], links / times[1]


DRAWS = {
    f"HMC, {STEPS} Omelyan steps": hmc,
    f"heatbath + {REFLECTIONS} overrelaxations": heatbath,
}
TARGETS = {
    ("HMC", 8, "float64"): ">= 1.2e7",
    ("HMC", 8, "float32"): ">= 2.5e7",
    ("heatbath", 8, "float64"): ">= 1e7",
}


def rows(action: str = "Wilson", extent: int = 8) -> list[Row]:
    """All numbers of an action for the table of `bench.py`; the peer is XLA's code for the same."""
    found = []
    flops = ACTIONS[action][1]
    for real, chains in itertools.product((jnp.float64, jnp.float32), (8, 1)):
        what = f"4D SU(3), {action}, {extent}^4, {chains} chains, {np.dtype(real)}"
        ours, theirs, limit = forces(action, extent, chains, real)
        bar = {8: ">= 2.5e7", 1: ">= 2e7"}[chains] if real == jnp.float64 else None
        found.append(Row(f"{what}: links/s of forces", ours, None, bar, theirs))
        share = ours * flops / limit
        found.append(Row(f"{what}: forces, part of the limit", share, None, ">= 0.3"))
        for draw, measured in DRAWS.items():
            ours, theirs = measured(action, extent, chains, real)
            bar = TARGETS.get((re.split("[, ]", draw)[0], chains, str(np.dtype(real))))
            found.append(Row(f"{what}, {draw}: link updates/s", ours, None, bar, theirs))
    return found


def main(extent: int = 8) -> None:
    jax.config.update("jax_enable_x64", True)
    started = time.perf_counter()
    if not native.kernels(3, jnp.complex128):
        sys.exit("there are no compiled kernels on this machine")
    print(f"kernels there after {time.perf_counter() - started:.1f} s")
    table = Table("what", "compiled", "target", "XLA", "ratio")
    for action in ACTIONS:
        for row in rows(action, extent):
            ours, theirs = (float(n or np.nan) for n in (row.value, row.peer))
            ratio = ("", "") if np.isnan(theirs) else (f"{theirs:.2g}", f"{ours / theirs:.1f}")
            target = (row.target or "") if action == "Wilson" else ""
            table.add_row(row.what, f"{ours:.2g}", target, *ratio)
    Console(width=150).print(table)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
