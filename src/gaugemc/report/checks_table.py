"""The table of the exactness checks."""

# ruff: noqa: RUF001 (typographic signs are meant)

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from gaugemc.checks.outcome import Outcome, baseline_of, outcome_of
from gaugemc.report.names import baseline_label, heading
from gaugemc.report.table import table
from gaugemc.statistics.notation import MISSING, format_error, format_number, format_signed, number

CHECKS = {
    "reversibility": "Reversibility of the dynamics",
    "log_det": "log|det <i>J</i>| against automatic differentiation",
    "convergence": "Convergence of the chains",
    "exp_minus_delta_h": "⟨exp(−Δ<i>H</i>)⟩ = 1",
}


def check_name(name: str) -> str:
    """The name of a check in HTML: what is checked, of which member, and of the baseline."""
    baseline, check = baseline_of(name)
    kind, _, member = check.partition(".")
    parts = [CHECKS.get(kind) or f"{heading(kind)} against its exact value"]
    if member:
        parts.append(html.escape(member.replace("_", " ").replace(".", ", ")))
    if baseline:
        parts.append(html.escape(baseline_label(baseline)))
    return ", ".join(parts)


def checks_table(checks: Mapping[str, Any]) -> str:
    """Every exactness check with what was measured, what is allowed and the outcome."""
    rows = []
    for name, check in checks.items():
        value, z = number(check.get("value")), format_signed(number(check.get("z")))
        limit = format_number(number(check.get("limit")), 2)
        if "value" in check:
            measured, allowed = format_number(value, 2), f"≤ {limit}"
        elif "mean" in check:
            measured = format_error(number(check.get("mean")), number(check.get("error")))
            measured, allowed = f"{measured}, <i>z</i> = {z}", expected_one(limit)
        else:
            measured, allowed = f"<i>z</i> = {z}", f"|<i>z</i>| ≤ {limit}"
        if check.get("lattice"):
            measured += f" on {'×'.join(map(str, check['lattice']))}"
        title = check_name(name)
        if check.get("why"):
            title += f' <span class="why">{html.escape(str(check["why"]))}</span>'
        rows.append([title, outcome(outcome_of(check)), measured, allowed])
    return table("Exactness checks", ["Check", "Outcome", "Measured", "Expected"], rows)


def expected_one(limit: str) -> str:
    """What a mean that must be one is allowed to be."""
    return "1" if limit == MISSING else f"1, |<i>z</i>| ≤ {limit}"


def outcome(found: Outcome) -> str:
    """Passed, failed, or not decided, in words and colour."""
    return {
        "passed": '<span class="pass">✓ passed</span>',
        "failed": '<span class="fail">✗ failed</span>',
        "undecided": '<span class="open">? undecided</span>',
    }[found]
