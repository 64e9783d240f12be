"""Runs that differ in their seed alone, as one: means over the seeds, with errors that cover."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gaugemc.report.scan_table import PER_SECOND
from gaugemc.statistics.notation import number

COSTS = {
    "Per second": PER_SECOND,
    "Per own force": ("ess_per_force_ratio", "force_error"),
}
"""The keys of a comparison, value and error, by what is counted."""

Found = Mapping[str, Any]
"""A part of a summary."""


def average(values: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
    """The mean of independent values, and its error: by their errors or their spread.

    The larger of the two counts; NaN where an error is NaN.
    """
    own = math.hypot(*errors) / len(errors)
    spread = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return statistics.fmean(values), own if math.isnan(own) else max(own, spread)


def geometric(found: Sequence[Found], value: str, error: str) -> dict[str, float]:
    """The average of the logarithms of a positive number; empty where a seed has no number."""
    numbers = [number(one.get(value)) for one in found]
    if not (numbers and all(0 < n < math.inf for n in numbers)):
        return {}
    relative = [number(one.get(error)) / n for one, n in zip(found, numbers)]
    log, spread = average([math.log(n) for n in numbers], relative)
    return {value: math.exp(log), error: math.exp(log) * spread}


def bounds(found: Sequence[Found]) -> dict[str, Any]:
    """A mean is a bound where one of its values is; the reasons, each once."""
    reasons = dict.fromkeys(str(one.get("reason") or "") for one in found)
    flags = {key: any(one.get(key) for one in found) for key in ("lower_bound", "upper_bound")}
    return {**flags, "reason": "; ".join(filter(None, reasons))}


def comparison(found: Sequence[Found]) -> Found:
    """The comparisons of an observable with tuned HMC, one a seed, as one."""
    ratios = [geometric(found, *keys) for keys in COSTS.values()]
    return {key: n for ratio in ratios for key, n in ratio.items()} | bounds(found)


def observable(found: Sequence[Found]) -> Found:
    """What the seeds measured of an observable, as one; empty where one did not measure."""
    if not (found and all(found)):
        return {}
    mean, error = average(*columns(found, "mean", "error"))
    tau = geometric(found, "tau_int", "tau_int_error")
    return {"mean": mean, "error": error} | tau | bounds(found)


def cost(found: Sequence[Found]) -> Found:
    """What a draw costs, and how many there are, on average over the seeds; empty of none."""
    keys = ("seconds_per_draw", "force_evaluations", "chains", "draws")
    columned = zip(keys, columns(found, *keys))
    return {key: statistics.fmean(column) for key, column in columned} if found else {}


def distance(found: Sequence[Found], others: Sequence[Found]) -> float:
    """The difference of two means, seed by seed, in its errors; NaN where there is none."""
    if not (found and all(found) and all(others)):
        return math.nan
    means, errors = columns(found, "mean", "error")
    other_means, other_errors = columns(others, "mean", "error")
    apart, error = average(
        [a - b for a, b in zip(means, other_means)],
        [math.hypot(a, b) for a, b in zip(errors, other_errors)],
    )
    return apart / error if error > 0 else math.nan


def columns(found: Iterable[Found], *keys: str) -> list[list[float]]:
    """The numbers of the seeds, by key."""
    rows = list(found)
    return [[number(row.get(key)) for row in rows] for key in keys]
