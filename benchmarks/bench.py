"""The numbers of the project, measured here and now: prints a table, writes JSON and Markdown.

Ratios are of programs that ran in turns in one process or one run; a number after ± is half the
interquartile range of the rounds, or the error of a run's ratio. Targets are those for two CPU
cores. Peers' numbers without a program beside ours were measured on two cores of another machine,
so only ratios far from 1 mean anything there.

    python benchmarks/bench.py [--full] [--json FILE] [--markdown FILE] [--runs DIRECTORY]
"""

import argparse
import datetime
import json
import math
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path

import jax
import kernels
import l2hmc
import ladder
import native
import peers
import toys
from measure import Row
from rich.console import Console
from rich.table import Table

from gaugemc import __version__

Benchmark = Callable[[], Row | list[Row]]

HEAD = ("what", "measured", "target", "peer")


def benchmarks(full: bool, runs: Path) -> list[Benchmark]:
    """In the order of the table."""
    short: list[Benchmark] = [
        kernels.link_updates,
        native.rows,
        kernels.training_step,
        kernels.coupling_force,
        kernels.multiscale_force,
        kernels.l2hmc,
        peers.hmc_of_blackjax,
        peers.spline_of_bijx,
        kernels.second_start,
        lambda: ladder.first_rung(runs),
        *toys.short(runs),
    ]
    long = [lambda: ladder.upper_rungs(runs), lambda: l2hmc.against_hmc(runs)]
    return [*short, *toys.rest(runs), *long] if full else short


def number(value: float | str | None) -> str:
    """Three digits; nothing for what there is not."""
    if value is None or isinstance(value, str):
        return value or ""
    if float(value).is_integer() and abs(value) < 1e5:
        return str(int(value))
    if not 1e-3 <= abs(value) < 1e5:
        return f"{value:.2e}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def cells(row: Row) -> tuple[str, str, str, str]:
    spread = "" if row.spread is None else f" ± {number(row.spread)}"
    measured = f"{'≥ ' if row.bound else ''}{number(row.value)}{spread}"
    return row.what, measured, number(row.target), number(row.peer)


def markdown(rows: list[Row], machine: str, date: str) -> str:
    """The page docs/benchmarks.md."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench-full`; `make bench` measures the part that takes minutes. "
        + " ".join((__doc__ or "").split("\n\n")[1].split()),
        "≥ marks lower bounds: HMC's chains were too short for their own autocorrelation time.",
        "",
        f"{date}, {machine}, gaugemc {__version__}, JAX {jax.__version__}.",
        "",
        "| " + " | ".join(HEAD) + " |",
        "| --- | --- | --- | --- |",
        *("| " + " | ".join(cells(row)) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="also what takes an hour")
    parser.add_argument("--json", type=Path, default=Path("outputs/bench.json"))
    parser.add_argument("--markdown", type=Path, help="write the table as a page")
    parser.add_argument("--runs", type=Path, help="keep runs here; finished ones are read")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    console = Console(stderr=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        todo = benchmarks(arguments.full, arguments.runs or Path(temporary))
        for done, benchmark in enumerate(todo):
            with console.status(f"benchmark {done + 1} of {len(todo)}"):
                measured = benchmark()
            rows += [measured] if isinstance(measured, Row) else measured
            console.print(*cells(rows[-1]), sep=" | ", highlight=False)
    table = Table(*HEAD)
    for row in rows:
        table.add_row(*cells(row))
    Console(width=120).print(table)
    device = jax.devices()[0]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {device.device_kind}"
    date = datetime.date.today().isoformat()
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    written: dict[str, object] = {"machine": machine, "date": date, "jax": jax.__version__}
    written |= {"rows": [row._asdict() for row in rows]}
    arguments.json.write_text(json.dumps(written, indent=2) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(markdown(rows, machine, date))
    print(arguments.json)


if __name__ == "__main__":
    main()
