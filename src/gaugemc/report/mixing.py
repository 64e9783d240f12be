"""The section of how chains forget: their start, and their energy."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gaugemc.report.names import MULTIPLES, by_array, heading
from gaugemc.report.panels import section
from gaugemc.report.record import Run
from gaugemc.report.table import TAU, reason_of, table
from gaugemc.report.tables import ratio_text, tau_text
from gaugemc.statistics.notation import (
    MISSING,
    format_integer,
    format_seconds,
    number,
)

LEVELS = ("action", "plaquette")
"""Where the energy is read off: Wilson's action is the plaquette but for a factor."""


def mixing(run: Run) -> str:
    """Burn-in, and autocorrelation of the action."""
    said = burn_in_text(run.names, run.results)
    if len(run.results) > 1:
        baseline = run.baseline(level_of(run.results))
        said.append(f"Ratio: {TAU} of {baseline} over that of the sampler.")
    return section("Burn-in and mixing", " ".join(said), mixing_table(run))


def burn_in_text(labels: Sequence[str], results: Sequence[Mapping[str, Any]]) -> list[str]:
    """How burn-in was measured, and of which samplers it was not, and why: sentences."""
    found = {name: r["burn_in"] for name, r in zip(labels, results) if r.get("burn_in")}
    reasons: dict[str, list[str]] = {}
    for name, part in found.items():
        if why := part.get("reason"):
            reasons.setdefault(str(why), []).append(name)
    said = [
        html.escape(f"Burn-in of {' and '.join(names)} is not measured: {why}.")
        for why, names in reasons.items()
    ]
    after = {name for part in found.values() for name in part.get("after") or {}}
    if after:
        said.insert(
            0,
            "Burn-in is measured with chains of their own, half from hot and half from cold starts."
            " It ends with the first draw from which means of hot and cold chains, over windows of"
            " a tenth of the draws, agree within errors, and with them the mean distances from the"
            " median.",
        )
        observed = (r.get("observables") or {} for r in results if r.get("burn_in"))
        if any(name not in after for names in observed for name in by_array(names)[""]):
            said.append("Observables that are measured on few of these draws are left out.")
    return said


def mixing_table(run: Run) -> str:
    """Burn-in of each sampler in draws, forces and seconds, and its autocorrelation of the action.

    "" where neither was measured.
    """
    results = run.results
    rows = [*burn_in_rows(results), *level_rows(run)]
    header = ["", *run.headings, *(["Ratio"] if len(results) > 1 else [])]
    width = len(header)
    rows = [row if len(row) == 1 else [*row, *[""] * (width - len(row))] for row in rows]
    return table("Burn-in and mixing", header, rows) if rows else ""


def burn_in_rows(results: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Draws until hot and cold chains agree: of each observable, and of all with their cost."""
    found = [result.get("burn_in") or {} for result in results]
    names = list(dict.fromkeys(name for part in found for name in part.get("after") or {}))
    names = [name for name in names if name not in MULTIPLES]
    if not names:
        return []
    rows = [
        [heading(name), *(draws_text(part, (part.get("after") or {}).get(name)) for part in found)]
        for name in names
    ]
    for title, key, write in (
        ("All of them, in forces", "force_evaluations", format_integer),
        ("All of them, in time of all chains", "seconds_per_draw", format_seconds),
    ):
        costs = [number(result.get(key)) for result in results]
        rows.append([title, *(cost_text(part, cost, write) for part, cost in zip(found, costs))])
    return [["Burn-in, in draws"], *(row for row in rows if set(row[1:]) != {MISSING})]


def draws_text(part: Mapping[str, Any], after: Any) -> str:
    """The draws of a burn-in; that there are too few of them is said."""
    if not part:
        return MISSING
    if part.get("reason"):
        return "not measured"
    draws = format_integer(number(part.get("draws")))
    return f"not within {draws}" if after is None else format_integer(number(after))


def cost_text(part: Mapping[str, Any], cost: float, write: Callable[[float], str]) -> str:
    """What the draws cost until all observables agree; nothing of samplers without such a cost."""
    after = [number(draws) for draws in (part.get("after") or {}).values()]
    if not (after and cost > 0):
        return MISSING
    if any(map(math.isnan, after)):
        return f"&gt; {write(number(part.get('draws')) * cost)}"
    return write(max(after) * cost)


def level_of(results: Sequence[Mapping[str, Any]]) -> str:
    """The observable that the energy is read off; "" where there is none."""
    observed = [result.get("observables") or {} for result in results]
    return next((n for n in LEVELS if any(n in o for o in observed)), "")


def level_rows(run: Run) -> list[list[str]]:
    """tau_int of the action in draws, and that of its baseline over that of the sampler."""
    name = level_of(run.results)
    if not name:
        return []
    levels = [(result.get("observables") or {}).get(name) or {} for result in run.results]
    ratio = ""
    if len(levels) > 1:
        compared = list(run.phases).index(run.compared_with(name))
        ratio = tau_ratio(levels[0], levels[compared])
    what = "of the action <i>S</i>" + ("" if name == "action" else ", read off the plaquette")
    return [["Mixing between energy levels"], [f"{TAU} {what}", *map(tau_text, levels), ratio]]


def tau_ratio(sampler: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    """tau_int of the baseline over that of the sampler."""
    taus = [number(o.get("tau_int")) for o in (baseline, sampler)]
    errors = [number(o.get("tau_int_error")) for o in (baseline, sampler)]
    if not taus[1] > 0:
        return MISSING
    ratio = taus[0] / taus[1]
    compared = {
        "ratio": ratio,
        "error": ratio * math.hypot(*(e / t for e, t in zip(errors, taus))),
        "lower_bound": baseline.get("lower_bound"),
        "upper_bound": sampler.get("lower_bound"),
    }
    return ratio_text(compared, "ratio", "error", [reason_of(baseline), reason_of(sampler)])
