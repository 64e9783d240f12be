"""Figures of a scan: what was measured in each of its runs, against the setting that varied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gaugemc.report.figures import WIDTH
from gaugemc.report.style import PALETTE, label_decades, styled

COLOURS = ("sampler", "curve2", "curve3", "curve4", "curve5", "curve6")


@dataclass(frozen=True)
class Point:
    """A measured value at an abscissa: a number, or the index of a category."""

    x: float
    y: float
    error: float
    """NaN or infinite where it is not known."""
    lower: bool = False
    """The value is only a lower bound."""
    upper: bool = False


@dataclass(frozen=True)
class Curve:
    """The points of a sampler, or of the baseline, in the runs that only differ in the abscissa."""

    label: str
    colour: str
    baseline: bool
    points: Sequence[Point]


@dataclass(frozen=True)
class Abscissa:
    """What the curves are drawn against; named categories have no distances."""

    label: str
    categories: Sequence[str] = ()


@styled
def scan_figure(
    title: str, abscissa: Abscissa, curves: Sequence[Curve], kind: str = "positive"
) -> Figure:
    """Curves with error bars; bounds are open markers with arrows.

    `kind` is "fraction", for an axis from 0 to 1, "ratio", for one with a line at 1, or "positive".
    Axes are logarithmic where the values span a factor of ten, abscissas where they span thirty.
    """
    figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
    axes = figure.subplots()
    for curve in curves:
        draw(axes, curve, joined=not abscissa.categories)
    points = [point for curve in curves for point in curve.points]
    scale_values(axes, points, kind)
    if abscissa.categories:
        axes.set_xticks(range(len(abscissa.categories)), labels=list(abscissa.categories))
        axes.set_xlim(-0.5, len(abscissa.categories) - 0.5)
    else:
        scale_abscissas(axes, [point.x for point in points])
    axes.grid(axis="y")
    axes.set_title(title)
    axes.set_xlabel(abscissa.label)
    keys = [key_of(curve) for curve in curves if curve.label]
    if keys:
        # Below the axes, where the legend cannot hide a point.
        columns = 1 if max(len(curve.label) for curve in curves) > 24 else 3
        figure.legend(handles=keys, fontsize=8, loc="outside lower left", ncols=columns)
    return figure


def draw(axes: Axes, curve: Curve, joined: bool) -> None:
    """The points of a curve, joined by lines, with their errors, bounds open."""
    colour, points = PALETTE[curve.colour], sorted(curve.points, key=lambda point: point.x)
    marker = "s" if curve.baseline else "o"
    if joined:
        xs, ys = [point.x for point in points], [point.y for point in points]
        axes.plot(xs, ys, color=colour, linewidth=1.1, linestyle=dashes(curve), zorder=2)
    for point in points:
        bound = point.lower or point.upper
        known = np.isfinite(point.error)
        axes.errorbar(
            point.x,
            point.y,
            point.error if known else None,
            fmt=marker,
            color=colour,
            markerfacecolor=PALETTE["paper"] if bound else colour,
            markersize=4.5,
            capsize=2.0,
            elinewidth=1.0,
            zorder=3,
        )
        if point.lower != point.upper:
            axes.annotate(
                "",
                (point.x, point.y),
                (0, 20 if point.lower else -20),
                textcoords="offset points",
                arrowprops={"arrowstyle": "<|-", "color": colour, "shrinkB": 3, "linewidth": 1.0},
            )


def dashes(curve: Curve) -> Literal["-", "--"]:
    """Baselines are dashed."""
    return "--" if curve.baseline else "-"


def key_of(curve: Curve) -> Line2D:
    """The entry of a curve in the legend."""
    marker = "s" if curve.baseline else "o"
    return Line2D(
        [],
        [],
        color=PALETTE[curve.colour],
        linestyle=dashes(curve),
        linewidth=1.1,
        marker=marker,
        markersize=4.5,
        label=curve.label,
    )


def scale_values(axes: Axes, points: Sequence[Point], kind: str) -> None:
    """Scale and range of the ordinate: all points, their errors and their arrows."""
    if kind == "fraction":
        axes.set_ylim(-0.03, 1.03)
        return
    values = [point.y for point in points]
    if kind == "ratio":
        axes.axhline(1.0, color=PALETTE["muted"], linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        values.append(1.0)
    errors = [point.error if np.isfinite(point.error) else 0.0 for point in points]
    ends = [point.y + sign * error for point, error in zip(points, errors) for sign in (-1, 1)]
    low, high = min(values), max(*values, *ends)
    if low > 0 and high > 10 * low:
        low = min(end for end in (*values, *ends) if end > 0.3 * low)
        axes.set_yscale("log", nonpositive="clip")
        axes.set_ylim(low / (high / low) ** 0.12, high * (high / low) ** 0.2)
        label_decades(axes.yaxis, low, high)
    else:
        axes.set_ylim(min(0.0, 1.05 * low), 1.25 * high or 1.0)


def scale_abscissas(axes: Axes, values: Sequence[float]) -> None:
    """Scale and ticks of a numeric abscissa: at its values, where they are not too close."""
    distinct = np.unique(values)
    logarithmic = distinct[0] > 0 and distinct[-1] >= 30 * distinct[0]
    if logarithmic:
        axes.set_xscale("log")
        label_decades(axes.xaxis, float(distinct[0]), float(distinct[-1]))
    places = np.log(distinct) if logarithmic else distinct
    if distinct.size == 1 or np.diff(places).min() > 0.08 * np.ptp(places):
        axes.set_xticks(distinct)
        axes.set_xticks([], minor=True)
