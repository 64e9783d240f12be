"""The table of what the tuner tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gaugemc.report.names import symbol
from gaugemc.report.table import table
from gaugemc.statistics.notation import format_error, format_integer, format_number, number


def tuning_table(tuning: Sequence[Mapping[str, Any]]) -> str:
    """The grid that the step size and trajectory length were chosen from."""
    chosen = next((i for i, entry in enumerate(tuning) if entry.get("chosen")), -1)
    scored = tuning[0].get("scores") or {}
    rows = [
        [
            *(
                format_number(number(entry.get(key)), 3)
                for key in ("length", "trajectory_length", "target", "acceptance", "step_size")
            ),
            format_integer(number(entry.get("n_steps"))),
            *(score_text(entry.get("scores") or {}, name) for name in scored),
            choice_text(entry),
        ]
        for entry in tuning
    ]
    header = ["Length asked for", "Length", "Acceptance asked for", "Acceptance"]
    header += ["Step size", "Steps"]
    header += [f"Score, {symbol(name)}" for name in scored]
    return table("Tuning", [*header, ""], rows, chosen, kind="tuning")


def score_text(scores: Mapping[str, Any], name: str) -> str:
    """A score with its error."""
    entry = scores.get(name) or {}
    return format_error(number(entry.get("value")), number(entry.get("error")))


def choice_text(entry: Mapping[str, Any]) -> str:
    """Which observables a candidate was chosen for."""
    names = [symbol(name) for name in entry.get("chosen_for") or {}]
    if not (names or entry.get("chosen")):
        return ""
    return "✓ chosen" + (f" for {', '.join(names)}" if names else "")
