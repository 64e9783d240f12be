"""The tables that `gaugemc measure` prints."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from rich.table import Table

from gaugemc.statistics.notation import format_error, format_lattice

MOST_ROWS = 12
"""Of a table of the flow; the file of numbers has all."""
ROWS = {
    "plaquette": "plaquette",
    "plaquette_space": "plaquette, space-space",
    "plaquette_time": "plaquette, space-time",
    "link_trace": "link trace",
    "rectangle": "rectangle",
    "energy": "clover energy E",
    "energy_space": "E, space-space",
    "energy_time": "E, space-time",
    "charge": "clover charge Q",
}
FLOW = {"time": "t", "energy": "E", "t2_energy": "t²E", "charge": "Q", "plaquette": "plaquette"}


def measured_tables(numbers: Mapping[str, Any]) -> Iterator[Table]:
    """One table of each file, one of its flow, and at last the scales of all files together."""
    for file in numbers["files"]:
        lattice = format_lattice(file["lattice"])
        about = f"{file['format']}, {file['group']}, {lattice}, {file['precision']}"
        table = Table("", about, title=file["file"], title_justify="left")
        for name, label in ROWS.items():
            if name in file:
                table.add_row(label, f"{file[name]:.12g}")
        for mu, (real, imaginary) in enumerate(file["polyakov_loop"]):
            table.add_row(f"Polyakov loop, direction {mu}", f"{real:.10f} {imaginary:+.10f} i")
        yield table
        if "flow" in file:
            yield flow_table(file["flow"])
    if "flow" in numbers:
        flow = numbers["flow"]
        table = Table("scale", "in lattice units", title="all files", title_justify="left")
        for name, label in {"t0": "t0 / a^2", "w0": "w0 / a"}.items():
            reached = np.isfinite(flow[name])
            text = format_error(flow[name], flow[f"{name}_error"]) if reached else "not reached"
            single = reached and len(numbers["files"]) == 1
            table.add_row(label, f"{flow[name]:.6g}, of one configuration" if single else text)
        yield table


def flow_table(flow: Mapping[str, Any]) -> Table:
    """Some rows of a history, the first and the last among them."""
    names = {name: label for name, label in FLOW.items() if name in flow}
    table = Table(*names.values())
    last = len(flow["time"]) - 1
    for i in np.unique(np.linspace(0, last, min(MOST_ROWS, last + 1)).round().astype(int)):
        table.add_row(*(f"{flow[name][i]:.6g}" for name in names))
    return table
