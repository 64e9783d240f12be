"""What all figures look like.

Text is plain Unicode, kept as text in the SVG, and every colour is one of `PALETTE`, so that the
report can give the figures its own typeface and colours.
"""

# ruff: noqa: RUF001 (typographic signs are meant)

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec

import matplotlib as mpl
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter, FuncFormatter, LogLocator, NullFormatter, ScalarFormatter

from gaugemc.statistics.notation import format_number, minus, superscript

PALETTE = {
    "paper": "#ffffff",
    "ink": "#1d2329",
    "muted": "#69727d",
    "grid": "#e3e6ea",
    "sampler": "#0b6bab",
    "hmc": "#c2510c",
    "second": "#8e3fa8",
    "exact": "#9aa3ad",
    "curve2": "#a3338a",
    "curve3": "#00796b",
    "curve4": "#7d6100",
    "curve5": "#5b4fc9",
    "curve6": "#b3243c",
}
STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "figure.facecolor": PALETTE["paper"],
    "axes.facecolor": PALETTE["paper"],
    "axes.edgecolor": PALETTE["muted"],
    "axes.labelcolor": PALETTE["ink"],
    "axes.titlecolor": PALETTE["ink"],
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": PALETTE["grid"],
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.labelcolor": PALETTE["ink"],
    "text.color": PALETTE["ink"],
    "xtick.color": PALETTE["muted"],
    "ytick.color": PALETTE["muted"],
    "xtick.labelcolor": PALETTE["ink"],
    "ytick.labelcolor": PALETTE["ink"],
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "gaugemc",
}

P = ParamSpec("P")


class Ticks(Formatter):
    """Tick labels that say the whole value: no offset and no factor beside the axis."""

    def __call__(self, value: float, pos: int | None = None) -> str:
        return format_number(value)

    def format_ticks(self, values: Iterable[float]) -> list[str]:
        """The labels of all ticks, with as many decimals as tell them apart."""
        ticks = [float(value) for value in values]
        steps = [abs(b - a) for a, b in itertools.pairwise(ticks) if b != a]
        step = min(steps, default=max(map(abs, ticks), default=0.0) or 1.0)
        # The first digit of the step, and the second where it is not 0: steps of 0.25.
        places = -math.floor(math.log10(step) + 1e-9)
        places += not math.isclose(round(step, places), step, rel_tol=1e-6)
        plain = places <= 7 and all(abs(tick) < 1e7 for tick in ticks)

        def label(tick: float) -> str:
            if abs(tick) < 1e-6 * step:
                return "0"
            if plain:
                return minus(f"{tick:,.{max(places, 0)}f}")
            return format_number(tick, max(1, math.floor(math.log10(abs(tick))) + places + 1))

        return [label(tick) for tick in ticks]


def label_decades(axis: Axis, low: float, high: float) -> None:
    """Ticks of a logarithmic axis from low to high: a few with labels, however short it is."""
    if high < 100 * low:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: decade(value)))
    axis.set_minor_formatter(NullFormatter())


def decade(value: float) -> str:
    """The label of a tick of a logarithmic axis: 0.02, 1, 500, 10⁻⁷."""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return minus(f"{value:,g}" if abs(value) < 1e5 else f"{value:,.0f}")
    exponent = math.floor(math.log10(abs(value)) + 1e-9)
    leading = round(value / 10.0**exponent)
    return f"{'' if leading == 1 else minus(f'{leading}×')}10{superscript(exponent)}"


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw under `STYLE`, whatever the user's matplotlibrc says, with `Ticks`."""

    @functools.wraps(draw)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(STYLE):
            figure = draw(*args, **kwargs)
        for axes in figure.axes:
            for axis in (axes.xaxis, axes.yaxis):
                if isinstance(axis.get_major_formatter(), ScalarFormatter):
                    axis.set_major_formatter(Ticks())
        return figure

    return wrapped
