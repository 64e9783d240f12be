"""The picture of Polyakov loops: points in the complex plane, or on the real line for SU(2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Complex
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gaugemc.report.chains import Chains
from gaugemc.report.style import PALETTE, styled

MOST_POINTS = 2000
"""Of each sampler."""


@styled
def polyakov_figure(runs: Sequence[Chains], mu: int, n: int) -> Figure:
    """tr P_mu / N of SU(N), averaged over the lattice: a panel for each run, equal axes.

    Dashed are the directions of the centre, exp(2 pi i k / N), along which the loops lie where the
    centre symmetry is broken.
    """
    loops = [complex_loops(run, mu) for run in runs]
    radius = 1.1 * max(float(np.max(np.abs(z), initial=1e-9)) for z in loops)
    figure = Figure(figsize=(2.9 * len(runs), 3.1 if n > 2 else 2.4), layout="constrained")
    panels = figure.subplots(1, len(runs), sharex=True, sharey=True, squeeze=False)[0]
    for axes, run, z in zip(panels, runs, loops):
        (plane if n > 2 else line)(axes, z, PALETTE[run.colour], radius, n)
        axes.set_title(run.label)
        axes.set_xlim(-radius, radius)
        axes.set_xlabel("Re tr P / N")
    panels[0].set_ylabel("Im tr P / N" if n > 2 else "points")
    return figure


def complex_loops(run: Chains, mu: int) -> Complex[np.ndarray, " point"]:
    """The loops of all chains and draws, or of evenly spaced ones where they are many."""
    real = run.observables[f"polyakov_loop[{mu}]"].ravel()
    imaginary = run.observables.get(f"polyakov_loop_imaginary[{mu}]", np.zeros(1)).ravel()
    z = real + 1j * imaginary
    z = z[np.isfinite(z)]
    return z[:: math.ceil(max(z.size, 1) / MOST_POINTS)]


def plane(axes: Axes, z: Complex[np.ndarray, " point"], colour: str, radius: float, n: int) -> None:
    """Points in the complex plane, and the directions of the centre Z_N."""
    for k in range(n):
        end = 2 * radius * np.exp(2j * np.pi * k / n)
        axes.plot([0, end.real], [0, end.imag], color=PALETTE["muted"], lw=0.8, ls=(0, (4, 3)))
    axes.plot(
        np.real(z), np.imag(z), "o", color=colour, markersize=2.2, alpha=0.45, markeredgewidth=0
    )
    axes.set_ylim(-radius, radius)
    axes.set_aspect("equal")
    axes.locator_params(nbins=4)


def line(axes: Axes, z: Complex[np.ndarray, " point"], colour: str, radius: float, n: int) -> None:
    """A histogram of real loops, around 0 or at the two elements of the centre Z_2."""
    axes.axvline(0, color=PALETTE["muted"], lw=0.8, ls=(0, (4, 3)))
    axes.hist(np.real(z), bins=np.linspace(-radius, radius, 31).tolist(), color=colour, alpha=0.75)
