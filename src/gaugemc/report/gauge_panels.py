"""The sections of gauge theory in the report: gradient flow and Polyakov loops."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from typing import Any

from gaugemc.report.flow_figure import flow_figure
from gaugemc.report.panels import panels, section
from gaugemc.report.polyakov_figure import polyakov_figure
from gaugemc.report.record import COLOURS, Run
from gaugemc.report.table import reason_of, tag
from gaugemc.statistics.flow_scales import LEVEL
from gaugemc.statistics.notation import MISSING, format_error, number


def gradient_flow(run: Run) -> str:
    """t^2 E against flow time, and what t0 and w0 are."""
    flows = [(label, colour, r["flow"]) for label, colour, r in shown(run) if r.get("flow")]
    if not flows:
        return ""
    found = [flow for _, _, flow in flows]
    kernel = run.setting("evaluate.flow_kernel") or "wilson"
    figure = flow_figure(found, found, kernel, [(label, colour) for label, colour, _ in flows])
    said = "; ".join(
        f'<span class="{colour}">{html.escape(label)}</span>: {scales_text(flow)}'
        for label, colour, flow in flows
    )
    text = f"{said}. Errors: the spread between chains, or between parts of them if they are few."
    drawn = [("flow", figure, "Energy against flow time")]
    return section("Gradient flow", text, panels(run.figures, drawn))


def shown(run: Run) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Label, colour and results of every sampler that has a colour."""
    return list(zip(run.labels, COLOURS, run.results))


def scales_text(flow: Mapping[str, Any]) -> str:
    """t0 and w0 of a sampler, or why the flow does not have them."""
    if math.isnan(number(flow.get("t0"))):
        end, last, error = (number(flow[k][-1]) for k in ("time", "t2_energy", "energy_error"))
        value = format_error(last, end**2 * error)
        return (
            f"no <i>t</i>₀, for <i>t</i>²⟨<i>E</i>⟩ does not rise to {LEVEL:g}: at the end of the"
            f" flow, <i>t</i> = {end:g}, it is {value}"
        )
    names = {"t0": "<i>t</i>₀/<i>a</i>²", "w0": "<i>w</i>₀/<i>a</i>"}
    texts = {name: scale_text(flow, name) for name in names}
    return ", ".join(f"{names[name]} = {text}" for name, text in texts.items() if text != MISSING)


def scale_text(flow: Mapping[str, Any], name: str) -> str:
    """t0 or w0 with its error, marked where the error is only a bound."""
    text = format_error(number(flow.get(name)), number(flow.get(f"{name}_error")))
    marked = flow.get("lower_bound") and text != MISSING
    return f"{text} {tag('error ≥', [reason_of(flow)])}" if marked else text


def polyakov_loops(run: Run) -> str:
    """The Polyakov loops of one direction of SU(N), averaged over the lattice."""
    group, lattice = str(run.part("theory").get("group")), run.part("theory").get("lattice") or [0]
    # The last of the shortest directions: at a temperature it is time.
    mu = max(i for i, extent in enumerate(lattice) if extent == min(lattice))
    chains = [c for c in run.chains if f"polyakov_loop[{mu}]" in c.observables]
    if not chains or not group.startswith("SU"):
        return ""
    n = int(group.strip("SU()"))
    text = (
        f"The mean over the lattice of tr <i>P</i>/{n} on each draw, <i>P</i> the loops along"
        f" direction {mu} (the first is 0). Where the centre symmetry is whole, they lie around 0;"
        f" where it is broken, {'along the dashed lines' if n > 2 else 'on one side of 0'}."
    )
    drawn = [("polyakov", polyakov_figure(chains, mu, n), "Polyakov loops")]
    return section("Polyakov loop", text, panels(run.figures, drawn))
