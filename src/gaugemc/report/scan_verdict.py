"""Who makes more independent values than tuned HMC, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gaugemc.report.names import called
from gaugemc.report.scan import Scan
from gaugemc.report.scan_members import Member, observables, places
from gaugemc.report.seeds import COSTS
from gaugemc.statistics.compare import Winner, winner
from gaugemc.statistics.notation import format_bound, number

LISTED = 2
"""Samplers for which a verdict is open are listed up to this number."""


def headline(scan: Scan) -> str:
    """Who beats tuned HMC in the slowest observable, per second and per own force, by place."""
    return " ".join(
        sentence(where, members, name)
        for where, members in places(scan).items()
        for name in observables(members)[:1]
    )


def sentence(where: str, members: Sequence[Member], name: str) -> str:
    """The verdict on one observable at one place."""
    said = [
        f"{cost} {found}."
        for cost, keys in COSTS.items()
        if (found := ranking(members, name, *keys))
    ]
    what = f"Independent values of {called(name)}{f' at {where}' if where else ''}"
    return f"{what}, against tuned HMC: {' '.join(said) or 'not compared.'}"


def ranking(members: Sequence[Member], name: str, value: str, error: str) -> str:
    """Who makes more than tuned HMC, who fewer, and for whom that is open; "" without numbers."""
    groups: dict[Winner, list[str]] = {"sampler": [], "hmc": [], "open": []}
    for member in members:
        compared = member.compared(name)
        if math.isfinite(number(compared.get(value))):
            text = member.label + times(compared, value, error)
            groups[winner(compared, value, error)].append(text)
    words = {"sampler": "more", "hmc": "fewer", "open": "undecided"}
    if len(groups["open"]) > LISTED:
        few = len(groups["open"]) < sum(map(len, groups.values()))
        groups["open"] = ["all others" if few else "all"]
    return "; ".join(f"{words[who]}: {', '.join(found)}" for who, found in groups.items() if found)


def times(compared: Mapping[str, Any], value: str, error: str) -> str:
    """A ratio in a sentence, after a space; nothing where it is bounded on neither side."""
    low, high = bool(compared.get("lower_bound")), bool(compared.get("upper_bound"))
    ratio, spread = number(compared.get(value)), number(compared.get(error))
    return "" if low and high else f" {format_bound(ratio, spread, lower=low, upper=high)}"
