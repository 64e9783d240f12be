"""The picture of a gradient flow: t^2 E(t) and Q(t)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gaugemc.report.style import PALETTE, styled
from gaugemc.statistics.flow_scales import LEVEL


@styled
def flow_figure(numbers: Mapping[str, Any]) -> Figure:
    """t^2 E against flow time, with the level of t0, and Q below: a line for each file.

    Args:
        numbers: what `gaugemc.run.measure_files` returns for a flow.
    """
    flows = [file["flow"] for file in numbers["files"]]
    charged = "charge" in flows[0]
    figure = Figure(figsize=(4.6, 4.4 if charged else 2.6), layout="constrained")
    panels = figure.subplots(1 + charged, 1, sharex=True, squeeze=False)[:, 0]
    for flow in flows:
        panels[0].plot(flow["time"], flow["t2_energy"], color=PALETTE["sampler"], linewidth=0.9)
        if charged:
            panels[1].plot(flow["time"], flow["charge"], color=PALETTE["second"], linewidth=0.9)
    if max(max(flow["t2_energy"]) for flow in flows) > LEVEL / 2:
        panels[0].axhline(LEVEL, color=PALETTE["ink"], linewidth=0.9, linestyle=(0, (4, 3)))
    t0 = numbers["flow"]["t0"]
    if np.isfinite(t0):
        panels[0].axvline(t0, color=PALETTE["muted"], linewidth=0.7)
    for axes, label in zip(panels, ("t²E", "Q")):
        axes.set_ylabel(label)
        axes.grid(axis="y")
    panels[0].set_title(f"Gradient flow, {numbers['flow']['kernel'].capitalize()} kernel")
    panels[-1].set_xlabel("flow time t / a²")
    panels[-1].set_xlim(0, flows[0]["time"][-1])
    return figure
