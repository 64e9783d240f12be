"""Compiled kernels of SU(3) beside XLA's code for the same: docs/performance.md.

    python benchmarks/native.py [extent]

Both run in one process in turn, on extent^4 sites (8^4 by default). The force is timed as a
trajectory uses it: the time that further steps of a leapfrog take, each a force, a kick and a
drift, without a conversion of layouts. The limit is a product of matrices of 1024 x 1024.
"""

import statistics
import sys
import time
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from measure import draws, seconds
from rich.console import Console
from rich.table import Table

from gaugemc.groups import SUN
from gaugemc.kernels import native
from gaugemc.samplers import HMC, LEAPFROG, OMELYAN, Heatbath
from gaugemc.samplers.hmc.integrator import PhasePoint
from gaugemc.spaces import Links
from gaugemc.theories import Wilson

ROUNDS = 5
STEPS = 10
REFLECTIONS = 4
FLOPS = 13 * 27 * 8
"""Of the force on one link: six staples of two products each, and one more product."""


class WithoutKernels(SUN):
    """SU(N) that XLA computes."""

    def has_kernels(self, dtype: DTypeLike) -> bool:
        return False


def theories(extent: int, real: DTypeLike) -> tuple[Wilson, Wilson]:
    """The same theory: compiled, and XLA's."""
    lattice = (extent,) * 4
    compiled, plain = (Wilson(Links(g, lattice, real), 5.7) for g in (SUN(3), WithoutKernels(3)))
    return compiled, plain


def in_turn(calls: list[Callable[[], object]]) -> list[float]:
    """Median seconds of each call."""
    jax.block_until_ready([call() for call in calls])
    times = [[seconds(call) for call in calls] for _ in range(ROUNDS)]
    return [statistics.median(column) for column in zip(*times)]


def forces(extent: int, chains: int, real: DTypeLike) -> tuple[float, float, float]:
    """Links per second, compiled and XLA's, and the limit in operations per second."""
    n = 1024
    matrix = jax.random.normal(jax.random.key(0), (n, n), real)
    calls: list[Callable[[], object]] = [lambda: matrix @ matrix]
    for theory in theories(extent, real):
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
    links = 6 * chains * theories(extent, real)[0].space.n_links
    return links / (long - short), links / (plain_long - plain_short), 2 * n**3 / limit


def hmc(extent: int, chains: int, real: DTypeLike) -> tuple[float, float]:
    """Link updates (links times forces) per second of whole draws, compiled and XLA's."""
    both = theories(extent, real)
    times = in_turn([draws(HMC(theory, 0.02, STEPS, OMELYAN), chains, 1) for theory in both])
    updates = 2 * STEPS * chains * both[0].space.n_links
    return updates / times[0], updates / times[1]


def heatbath(extent: int, chains: int, real: DTypeLike) -> tuple[float, float]:
    """Link updates per second of whole draws, compiled and XLA's."""
    both = theories(extent, real)
    times = in_turn([draws(Heatbath(theory, REFLECTIONS), chains, 1) for theory in both])
    updates = (1 + REFLECTIONS) * chains * both[0].space.n_links
    return updates / times[0], updates / times[1]


def main(extent: int = 8) -> None:
    jax.config.update("jax_enable_x64", True)
    started = time.perf_counter()
    if not native.is_compiled(3, jnp.complex128):
        sys.exit("there are no compiled kernels on this machine")
    print(f"kernels there after {time.perf_counter() - started:.1f} s")
    table = Table("SU(3)", "compiled /s", "XLA /s", "ratio", "Gop/s", "of limit")
    for real in (jnp.float64, jnp.float32):
        for chains in (8, 1):
            what = f"{extent}^4, {chains} chains, {np.dtype(real)}"
            ours, theirs, limit = forces(extent, chains, real)
            rates = f"{ours * FLOPS / 1e9:.0f}", f"{ours * FLOPS / limit:.0%}"
            row = f"{ours:.2g}", f"{theirs:.2g}", f"{ours / theirs:.1f}"
            table.add_row(f"forces on links, {what}", *row, *rates)
            for draw, measured in (
                (f"HMC, {STEPS} Omelyan steps", hmc),
                (f"heatbath + {REFLECTIONS} overrelaxations", heatbath),
            ):
                ours, theirs = measured(extent, chains, real)
                row = f"{ours:.2g}", f"{theirs:.2g}", f"{ours / theirs:.1f}"
                table.add_row(f"{draw}, {what}", *row)
    Console(width=150).print(table)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
