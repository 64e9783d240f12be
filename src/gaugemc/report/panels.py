"""The sections of the report that are figures."""

from __future__ import annotations

import html
import math
import pathlib
import re
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from gaugemc.io.atomic import write_atomically
from gaugemc.report import figures
from gaugemc.report.chains import is_integer_charge
from gaugemc.report.names import called, symbol
from gaugemc.report.record import Run
from gaugemc.report.svg import inlined, svg_of
from gaugemc.report.training_figure import annealed_until, training_figure
from gaugemc.statistics.notation import number

MAX_LAGS = 2000


def section(title: str, text: str, content: str) -> str:
    """A titled section with a sentence on what it shows."""
    paragraph = f"<p>{text}</p>\n" if text else ""
    return f"<section>\n<h2>{title}</h2>\n{paragraph}{content}\n</section>" if content else ""


def histories(run: Run) -> str:
    """Histories of the samplers, side by side."""
    drawn = [
        (
            f"history-{chains.colour}",
            figures.history_figure([chains], run.drawn, run.chains, run.exact),
            f"History of {chains.label}",
        )
        for chains in run.chains
    ]
    if not drawn:
        return ""
    shown = figures.shown_draws(run.chains)
    names = dict(zip(run.labels, run.names))
    taken = ", ".join(f"{chains.draws:,} of {names[chains.label]}" for chains in run.chains)
    warmups = {chains.warmup for chains in run.chains}
    warm = f" after {max(warmups):,} of warm-up" if len(warmups) == 1 and max(warmups) else ""
    text = f"The first {shown:,} draws{warm}, a few chains (draws taken: {html.escape(taken)})"
    lines = run.exact.keys() & set(run.drawn) - {"charge"}
    line = "; the dashed line is the exact value" if lines else ""
    return section("Histories", f"{text}{line}.", panels(run.figures, drawn))


def training_curves(run: Run) -> str:
    """Loss, KL divergence and effective sample size against training step."""
    jumps = [name for name in run.leading if f"{name}_jump" in run.metrics]
    titles = {
        "loss": "Loss",
        "kl": "KL divergence of flow and target",
        "ess": "ESS on fresh samples, as a fraction",
        "acceptance": "Acceptance",
        **{f"{name}_jump": f"Squared change of {called(name)}" for name in jumps[:1]},
        "step_size": "Mean step size",
    }
    drawn = [
        (
            f"training-{column}",
            training_figure(run.metrics, column, title),
            f"{title} against training step",
        )
        for column, title in titles.items()
        if "step" in run.metrics and np.isfinite(run.metrics.get(column, np.full(1, np.nan))).any()
    ]
    if not drawn:
        return ""
    text = "Shaded: β was annealed." if annealed_until(run.metrics) is not None else ""
    return section("Training history", text, panels(run.figures, drawn))


def distribution(run: Run) -> str:
    """The distribution of the charge over the exact one."""
    charged = [chains for chains in run.chains if is_integer_charge(chains)]
    known = run.part("charge_distribution")
    parts = [np.array(known.get(part, []), np.float64) for part in ("values", "probability")]
    exact = (parts[0], parts[1]) if known else None
    if not charged:
        return ""
    figure = figures.charge_figure(charged, exact)
    text = "Frequency of every topological sector" + (", over the exact P(Q)." if exact else ".")
    text += " Errors: the spread between chains, or between parts of them if they are few."
    return section(
        "Topological charge",
        text,
        panels(
            run.directory / "figures",
            [("charge", figure, "Distribution of the topological charge")],
        ),
    )


def autocorrelations(run: Run) -> str:
    """Autocorrelation functions of the observables whose histories are drawn."""
    if not run.chains:
        return ""
    names = [name for name in run.drawn if name in run.chains[0].observables]
    lags = {name: lags_of(run, name) for name in names}
    shown = [name for name in names if figures.correlates(run.chains, name, lags[name])]
    drawn = [
        (
            f"autocorrelation-{name}",
            figures.autocorrelation_figure(run.chains, name, lags[name]),
            f"Autocorrelation function of {called(name)}",
        )
        for name in shown
    ]
    said = ["Averaged over the chains."] if shown else []
    if absent := [symbol(name) for name in names if name not in shown]:
        said.append(f"Not drawn: {', '.join(absent)}. Chains are too short for it or never moved.")
    content = f"<p>{' '.join(said)}</p>\n{panels(run.figures, drawn)}" if said else ""
    return section("Autocorrelation", "", content)


def lags_of(run: Run, name: str) -> int:
    """How far to draw an autocorrelation function: ten tau_int, at most a quarter of a chain."""
    observed = [(result.get("observables") or {}).get(name) or {} for result in run.results]
    taus = [number(entry.get("tau_int")) for entry in observed]
    draws = min(chains.draws for chains in run.chains)
    measured = 30 * max(chains.step(name) for chains in run.chains)
    wanted = max(10 * max(taus), measured) if all(map(math.isfinite, taus)) else MAX_LAGS
    return max(1, min(draws // 4, MAX_LAGS, round(wanted)))


def panels(directory: pathlib.Path, drawn: Sequence[tuple[str, Figure, str]]) -> str:
    """Save every (name, figure, description) in `directory`, and show it beside the others."""
    directory.mkdir(exist_ok=True)
    content = ""
    for title, figure, description in drawn:
        name = re.sub(r"[^\w-]+", "-", title)
        svg = svg_of(figure)
        with write_atomically(directory / f"{name}.svg") as temporary:
            temporary.write_text(svg, encoding="utf-8")
        content += f"<figure>{inlined(svg, name, description)}</figure>\n"
    count = {1: " one", 3: " three"}.get(len(drawn), "")
    return f'<div class="panels{count}">\n{content}</div>'
