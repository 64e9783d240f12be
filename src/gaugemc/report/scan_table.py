"""The table of a scan: one row a run."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from gaugemc.report.names import symbol as symbol_of
from gaugemc.report.panels import section
from gaugemc.report.scan import Job, Scan, key_text, value_text
from gaugemc.report.table import TAU, reason_of, table
from gaugemc.statistics.notation import MISSING, format_bound, format_number, number


def overview(scan: Scan) -> str:
    """A row for each run: its settings, its checks, and what was measured."""
    both = any(run.part("hmc") for run in scan.finished)
    labels = {run.headings[0] for run in scan.finished}
    ours = labels.pop() if len(labels) == 1 else '<span class="sampler">sampler</span>'
    header = ["Run", *(html.escape(key_text(key)) for key in scan.varied), "Checks", "Acceptance"]
    for name in scan.leading:
        symbol = symbol_of(name)
        header.append(f"{symbol}<br>{TAU} {ours}")
        if both:
            header += [f'{symbol}<br>{TAU} <span class="hmc">HMC</span>', f"{symbol}<br>Ratio"]
    rows = [row(scan, job, both) for job in scan.jobs]
    text = "Every run has its own page, behind its number." if scan.finished else ""
    return section("Runs", text, table("Runs", header, rows, kind="scan") + notes(scan, both))


def notes(scan: Scan, both: bool) -> str:
    """What the columns are, what varies along with them, and which runs have no results."""
    said = [f"{TAU} in draws. ≥ and ≤ mark bounds."]
    if both:
        said.append("Ratio: independent samples per second over those of tuned HMC; ? where the")
        said.append("chains of both leave open which is larger.")
    for key, others in scan.varied.items():
        if others:
            more = f" and {len(others) - 5} more" if len(others) > 5 else ""
            along = ", ".join(map(key_text, others[:5])) + more
            said.append(html.escape(f"With {key_text(key)} go {along}."))
    problems = [f"{job.name}: {job.problem}" for job in scan.jobs if job.problem]
    if problems:
        said.append(f'</p><p class="note">{html.escape("; ".join(problems))}.')
        said.append("<code>gaugemc resume DIRECTORY</code> goes on with an unfinished run.")
    return f'<p class="note">{" ".join(said)}</p>'


def row(scan: Scan, job: Job, both: bool) -> list[str]:
    """A row of the overview."""
    name = html.escape(job.name)
    if job.run and (job.run.directory / "report.html").is_file():
        name = f'<a href="{quote(job.name)}/report.html">{name}</a>'
    values = [html.escape(value_text(key, job.settings.get(key))) for key in scan.varied]
    settings = [f'<span class="value">{value}</span>' for value in values]
    cells = [name, *settings, badge(job)]
    results = [(part.get("observables") or {}) for part in (job.run.results if job.run else [])]
    results += [{}, {}]
    acceptance = number(job.run.part("evaluate").get("acceptance")) if job.run else math.nan
    cells.append(format_number(acceptance, 3))
    compared = job.run.part("comparison") if job.run else {}
    for observable in scan.leading:
        observed = [result.get(observable) or {} for result in results[:2]]
        cells += [tau(o) for o in (observed if both else observed[:1])]
        cells += [ratio(compared.get(observable) or {}, observed)] if both else []
    return cells


def badge(job: Job) -> str:
    """How many exactness checks passed, failed or are undecided, in words and colour."""
    outcomes = job.outcomes
    total = outcomes.total()
    if job.run is None:
        return f'<span class="badge" title="{html.escape(job.problem)}">no results</span>'
    if outcomes["failed"]:
        return f'<span class="badge failed">✗ {outcomes["failed"]} of {total} failed</span>'
    if outcomes["undecided"]:
        return f'<span class="badge undecided">{outcomes["undecided"]} of {total} undecided</span>'
    return f'<span class="badge passed">✓ {total} passed</span>' if total else MISSING


def tau(observable: Mapping[str, Any]) -> str:
    """tau_int with its error; the reason of a bound is its tooltip."""
    low = bool(observable.get("lower_bound"))
    value, error = number(observable.get("tau_int")), number(observable.get("tau_int_error"))
    return explained(format_bound(value, error, lower=low), [reason_of(observable)])


PER_SECOND = ("ess_per_second_ratio", "error")
"""Keys of a comparison: a ratio and its error."""


def ratio(
    compared: Mapping[str, Any],
    observed: Sequence[Mapping[str, Any]],
    keys: tuple[str, str] = PER_SECOND,
) -> str:
    """Independent samples over those of tuned HMC; "?" where nothing is known."""
    value, error = (number(compared.get(key)) for key in keys)
    if math.isnan(value):
        return MISSING
    low, high = bool(compared.get("lower_bound")), bool(compared.get("upper_bound"))
    text = "?" if low and high else format_bound(value, error, lower=low, upper=high)
    return explained(text, [reason_of(o) for o in observed])


def explained(text: str, reasons: Sequence[str]) -> str:
    """A text with a tooltip, where there is something to say."""
    said = "; ".join(dict.fromkeys(reason for reason in reasons if reason))
    return f'<span title="{html.escape(said)}">{text}</span>' if said else text
