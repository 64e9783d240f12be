"""The picture of a gradient flow: t^2 E(t) and Q(t)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gaugemc.choices.theories.gauge import ACTIONS
from gaugemc.report.style import PALETTE, styled
from gaugemc.statistics.flow_scales import LEVEL
from gaugemc.statistics.notation import number


@styled
def flow_figure(
    flows: Sequence[Mapping[str, Any]],
    scales: Sequence[Mapping[str, Any]],
    kernel: str,
    samplers: Sequence[tuple[str, str]] = (),
) -> Figure:
    """t^2 E against flow time, with the level and the place of t0, and Q below where it is known.

    Args:
        flows: for each line `time`, `t2_energy`, and what there is of `energy_error` and `charge`.
        scales: `t0` and `t0_error`, of all lines or of each sampler.
        kernel: of the flow.
        samplers: label and colour (a key of `style.PALETTE`) of each line that is a mean of chains;
            none for lines that are files.
    """
    charged = "charge" in flows[0]
    figure = Figure(figsize=(4.6, 4.4 if charged else 2.9), layout="constrained")
    panels = figure.subplots(1 + charged, 1, sharex=True, squeeze=False)[:, 0]
    top: Axes = panels[0]
    for index, flow in enumerate(flows):
        label, colour = samplers[index] if samplers else (None, "sampler")
        how: dict[str, Any] = {"color": PALETTE[colour], "linewidth": 0.9, "label": label}
        if samplers:
            error = np.square(flow["time"]) * np.array(flow["energy_error"], float)
            how |= {"yerr": error, "fmt": "os"[index % 2] + "-", "markersize": 3.5, "capsize": 2}
        top.errorbar(flow["time"], flow["t2_energy"], **how)
        if charged:
            panels[1].plot(flow["time"], flow["charge"], color=PALETTE["second"], linewidth=0.9)
    if max(max(flow["t2_energy"]) for flow in flows) > LEVEL / 2:
        top.axhline(LEVEL, color=PALETTE["ink"], linewidth=0.9, linestyle=(0, (4, 3)))
    for index, scale in enumerate(scales):
        t0, error = number(scale["t0"]), number(scale["t0_error"])
        colour = PALETTE[samplers[index][1] if samplers else "muted"]
        if np.isfinite(t0):
            top.axvline(t0, color=colour, linewidth=0.7)
        if np.isfinite(t0 + error):
            top.axvspan(t0 - error, t0 + error, color=colour, alpha=0.15, linewidth=0)
    for axes, symbol in zip(panels, ("t²E", "Q")):
        axes.set_ylabel(symbol)
        axes.grid(axis="y")
    if samplers:
        top.legend(fontsize=8)
    top.set_title(f"Gradient flow, {ACTIONS[kernel]} kernel")
    panels[-1].set_xlabel("flow time t / a²")
    panels[-1].set_xlim(0, flows[0]["time"][-1])
    return figure
