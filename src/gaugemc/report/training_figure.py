"""Figures of the training history."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gaugemc.report.style import PALETTE, label_decades, styled
from gaugemc.statistics.notation import format_number

MANY = 20
"""As many points of a loss have a late range that is worth looking at by itself."""


@styled
def training_figure(
    metrics: Mapping[str, Float[np.ndarray, " row"]], column: str, title: str
) -> Figure:
    """One column of the training history against step, every point of it, with its errors if known.

    The shade marks annealed betas.
    """
    figure = Figure(figsize=(3.5, 2.5), layout="constrained")
    axes = figure.subplots()
    measured = np.isfinite(metrics[column])
    step, series = metrics["step"][measured], metrics[column][measured]
    error = metrics.get(f"{column}_error", np.full(measured.size, np.nan))[measured]
    lowest = float(series.min())
    linear = late_range(series)
    if column == "loss" and series.size >= MANY and linear < 0.05 * np.ptp(series):
        # The first, untrained steps would squeeze all others.
        title = f"{title} above its lowest, {format_number(lowest)}"
        series = series - lowest
        axes.set_yscale("symlog", linthresh=linear, linscale=2)
        label_decades(axes.yaxis, linear, 100 * linear)
    elif column == "kl" and lowest > 0 and series.max() > 20 * lowest:
        axes.set_yscale("log", nonpositive="clip")
        label_decades(axes.yaxis, lowest, float(series.max()))
    curve(axes, step, series, error)
    if column in ("ess", "acceptance"):
        largest = float(np.max(series + np.nan_to_num(error)))
        axes.set_ylim(min(0.0, lowest), max(1.0, largest) if largest > 0.3 else 1.05 * largest or 1)
    end = annealed_until(metrics)
    if end is not None:
        first = float(metrics["step"][0])
        axes.axvspan(first, end, color=PALETTE["grid"], alpha=0.6, linewidth=0, zorder=0)
    axes.grid(axis="y")
    axes.set_title(title)
    axes.set_xlabel("training step")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return figure


def curve(
    axes: Axes,
    step: Float[np.ndarray, " row"],
    series: Float[np.ndarray, " row"],
    error: Float[np.ndarray, " row"],
) -> None:
    """A curve with error bars, or with a band where bars would hide each other."""
    colour, few = PALETTE["sampler"], step.size <= 60
    # Unclipped: a point on the edge of the axes is drawn whole.
    axes.plot(
        step,
        series,
        color=colour,
        linewidth=1.1,
        marker="o" if few else "",
        markersize=3.0,
        clip_on=False,
        zorder=3,
    )
    known = np.isfinite(error)
    if few and known.any():
        axes.errorbar(
            step[known], series[known], error[known], fmt="none", ecolor=colour, elinewidth=1.0
        )
    elif known.any():
        low, high = (series - error)[known], (series + error)[known]
        axes.fill_between(step[known], low, high, color=colour, alpha=0.25, linewidth=0)


def late_range(series: Float[np.ndarray, " row"]) -> float:
    """What holds most of the second half of a series above its lowest value: 1, 2 or 5 times 10^n.

    Infinite where that half stands still.
    """
    late = float(np.quantile(series[series.size // 2 :], 0.95) - series.min())
    if late <= 0:
        return math.inf
    decade = 10.0 ** math.floor(math.log10(late))
    return decade * next((step for step in (1, 2, 5) if step * decade >= late), 10)


def annealed_until(metrics: Mapping[str, Float[np.ndarray, " row"]]) -> float | None:
    """The last step at a beta other than the final one; None where beta stood still."""
    step, beta = metrics["step"], metrics.get("beta", np.zeros(0))
    annealed = step[beta != beta[-1]] if beta.size else beta
    return float(annealed[-1]) if annealed.size and annealed[-1] > step[0] else None
