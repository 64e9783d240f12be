"""Figures of a run's chains: histories, charge distribution, autocorrelation functions.

Every function returns a matplotlib `Figure` and leaves no global state behind.
"""

# ruff: noqa: RUF001 (typographic signs are meant)

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gaugemc.report.chains import (
    Chains,
    autocorrelation,
    is_integer_charge,
    sector_frequencies,
    shown_chains,
)
from gaugemc.report.names import called
from gaugemc.report.style import PALETTE, label_decades, styled

HISTORY_DRAWS = 2000
WIDTH = 4.6

Sectors = Float[np.ndarray, " sector"]


@styled
def history_figure(
    runs: Sequence[Chains],
    names: Sequence[str] = ("charge", "plaquette"),
    compared: Sequence[Chains] | None = None,
    exact: Mapping[str, float] | None = None,
) -> Figure:
    """Observables against draw, one column per run (Foreman et al. 2112.01586, Fig. 4).

    They are those of `names` that there are: the first of them of a few chains, and above it the
    others of one chain. The first draws are shown, `exact` values as lines. The ranges are those of
    all runs in `compared` (default: `runs`), so that figures drawn apart can be read side by side.
    """
    compared = runs if compared is None else compared
    first = runs[0].observables
    names = [name for name in names if name in first] or list(first)[:1]
    lanes = shown_chains(min(next(iter(run.observables.values())).shape[0] for run in runs))
    draws = shown_draws(compared)
    rows = [(name, lanes[0]) for name in names[:0:-1]]
    rows += [(names[0], chain) for chain in lanes]
    heights = [1.0 if "charge" in name else 1.45 for name, _ in rows]
    figure = Figure(figsize=(WIDTH * len(runs), 0.5 + 0.72 * sum(heights)), layout="constrained")
    grid = figure.subplots(
        len(rows), len(runs), squeeze=False, sharex="col", gridspec_kw={"height_ratios": heights}
    )
    for column, run in enumerate(runs):
        grid[0, column].set_title(run.label)
        for axes, (name, chain) in zip(grid[:, column], rows):
            history(axes, run, name, chain, draws, (exact or {}).get(name))
            axes.set_ylim(history_range(compared, name, draws))
            axes.set_ylabel(called(name))
            axes.text(
                1.01,
                0.5,
                f"chain {chain + 1}",
                transform=axes.transAxes,
                rotation=-90,
                va="center",
                fontsize=7.5,
                color=PALETTE["muted"],
            )
        grid[-1, column].set_xlabel("draw")
    figure.align_ylabels()
    return figure


def shown_draws(runs: Sequence[Chains]) -> int:
    """How many draws the histories show: as many as every run has, at most `HISTORY_DRAWS`."""
    return min([HISTORY_DRAWS, *(run.draws for run in runs)])


def history(
    axes: Axes, run: Chains, name: str, chain: int, shown: int, exact: float | None
) -> None:
    """One observable of one chain against draw."""
    draws = run.draws_of(name)
    draws = draws[draws < shown]
    series = run.observables[name][chain, : draws.size]
    if exact is not None and name != "charge":
        axes.axhline(exact, color=PALETTE["ink"], linewidth=0.9, linestyle=(0, (4, 3)), zorder=3)
    if name == "charge" and is_integer_charge(run):
        axes.step(draws, np.rint(series), where="mid", color=PALETTE[run.colour], linewidth=0.9)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    else:
        dots = {"marker": "o", "markersize": 1.5} if name in run.dear else {}
        axes.plot(draws, series, color=PALETTE[run.colour], linewidth=0.6, **dots)
        axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="y")
    axes.set_xlim(0, shown)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def history_range(runs: Sequence[Chains], name: str, draws: int) -> tuple[float, float]:
    """A vertical range that holds what the histories of all runs show of one observable."""
    parts = [
        run.observables[name][:, run.draws_of(name) < draws]
        for run in runs
        if name in run.observables
    ]
    finite = np.concatenate([part[np.isfinite(part)] for part in parts])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin


@styled
def charge_figure(runs: Sequence[Chains], exact: tuple[Sectors, Sectors] | None) -> Figure:
    """Frequency of each topological sector over the `exact` P(Q): (values, probabilities)."""
    figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
    axes = figure.subplots()
    largest = max(float(np.max(np.abs(np.rint(run.observables["charge"])))) for run in runs)
    values = np.arange(-largest, largest + 1)
    if exact is not None:
        sectors, probability = exact
        axes.bar(
            sectors,
            probability,
            width=0.86,
            color=PALETTE["grid"],
            edgecolor=PALETTE["exact"],
            linewidth=0.8,
            label="exact",
            zorder=1,
        )
        values = np.union1d(values, sectors)
    for index, run in enumerate(runs):
        frequency, error = sector_frequencies(run.observables["charge"], values)
        offset = 0.3 * (index - (len(runs) - 1) / 2)
        axes.errorbar(
            values + offset,
            frequency,
            yerror(frequency, error),
            clip_on=False,
            fmt="os"[index % 2],
            color=PALETTE[run.colour],
            markersize=4.5,
            capsize=2.5,
            elinewidth=1.2,
            label=run.label,
            zorder=3,
        )
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(9, integer=True))
    axes.set_xlabel("topological charge Q")
    axes.set_title("P(Q)")
    axes.legend(fontsize=8)
    return figure


def yerror(frequency: Sectors, error: Sectors) -> Float[np.ndarray, "2 sector"] | None:
    """Error bars down to 0, or none where a single short chain has no spread to take them from."""
    known = bool(np.all(np.isfinite(error)))
    return np.stack([np.minimum(error, frequency), error]) if known else None


def correlates(runs: Sequence[Chains], name: str, lags: int) -> bool:
    """Whether a curve of a sampler's autocorrelation has two points or more to draw."""
    there = [run for run in runs if name in run.observables and lags // run.step(name) >= 2]
    return any(np.isfinite(autocorrelation(run.observables[name], 3)).all() for run in there)


@styled
def autocorrelation_figure(runs: Sequence[Chains], name: str, lags: int) -> Figure:
    """Autocorrelation function rho(t) of one observable, both samplers, t on a logarithmic axis."""
    figure = Figure(figsize=(WIDTH, 2.9), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0.0, color=PALETTE["muted"], linewidth=0.8)
    for index, run in enumerate(runs):
        if name not in run.observables:
            continue
        step = run.step(name)
        rho = autocorrelation(run.observables[name], lags // step + 1)
        frozen = not np.isfinite(rho[0])
        label = f"{run.label} (never changed)" if frozen else run.label
        # A frozen observable stays in the legend: its absence from the axes is the result.
        axes.plot(
            step * np.arange(1, rho.size),
            rho[1:],
            ("-", "--")[index % 2],
            color=PALETTE[run.colour],
            linewidth=1.5,
            label=label,
        )
    axes.set_xscale("log")
    axes.set_xlim(1, max(lags, 2))
    label_decades(axes.xaxis, 1.0, float(max(lags, 2)))
    axes.set_ylim(top=max(1.03, axes.get_ylim()[1]))
    axes.grid(axis="y")
    axes.set_title(f"ρ(t) of {called(name)}")
    axes.set_xlabel("lag t in draws")
    axes.legend(fontsize=8)
    return figure
