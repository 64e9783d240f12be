"""Which of two samplers is cheaper per independent draw."""

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from gaugemc.statistics.autocorrelation import Estimate
from gaugemc.statistics.notation import number

SIGNIFICANT = 2.0
"""Errors by which a ratio must differ from 1 to decide."""

Winner = Literal["sampler", "hmc", "open"]


class Cost(NamedTuple):
    """What one draw of all chains costs."""

    seconds: float
    forces: float
    """Force evaluations of one chain; 0 for samplers without forces."""


class Comparison(NamedTuple):
    """Independent draws of a sampler over those of the baseline, for the same cost."""

    ess_per_second_ratio: float
    error: float
    ess_per_force_ratio: float | None
    force_error: float | None
    lower_bound: bool
    """The baseline's tau_int is only a lower bound, and so is the ratio."""
    upper_bound: bool
    """The sampler's own tau_int is only a lower bound: the ratio may be smaller."""


def compare(
    sampler: Estimate, cost: Cost, baseline: Estimate, baseline_cost: Cost, time_ratio_error: float
) -> Comparison:
    """Compare two estimates of one observable, from the same number of chains.

    Args:
        sampler: the sampler's estimate.
        cost: its cost.
        baseline: the baseline's estimate.
        baseline_cost: its cost.
        time_ratio_error: relative error of the ratio of the two times.
    """
    relative = np.hypot(
        sampler.tau_int_error / sampler.tau_int, baseline.tau_int_error / baseline.tau_int
    )
    tau_ratio = baseline.tau_int / sampler.tau_int
    per_second = tau_ratio * baseline_cost.seconds / cost.seconds
    per_force = (
        tau_ratio * baseline_cost.forces / cost.forces
        if cost.forces > 0 and baseline_cost.forces > 0
        else None
    )
    return Comparison(
        per_second,
        float(per_second * np.hypot(relative, time_ratio_error)),
        per_force,
        None if per_force is None else float(per_force * relative),
        baseline.lower_bound,
        sampler.lower_bound,
    )


def winner(
    compared: Mapping[str, Any], value: str = "ess_per_second_ratio", error: str = "error"
) -> Winner:
    """Who is cheaper by a `Comparison` as a mapping.

    The ratio must differ from 1 by two errors, and no bound may leave open to which side.
    The logarithm is compared: a ratio and its inverse are as far from 1.
    """
    ratio, spread = number(compared.get(value)), SIGNIFICANT * number(compared.get(error))
    low, high = bool(compared.get("lower_bound")), bool(compared.get("upper_bound"))
    if not (ratio > 0 and abs(math.log(ratio)) > spread / ratio):
        return "open"
    if ratio > 1:
        return "open" if high else "sampler"
    return "open" if low else "hmc"
