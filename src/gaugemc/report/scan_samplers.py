"""The section of a scan's page that compares different samplers: means, costs, and who wins."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from typing import Any, Literal

from gaugemc.choices.menu import label
from gaugemc.report.names import called, heading
from gaugemc.report.panels import section
from gaugemc.report.scan import Job, Scan, setting_text
from gaugemc.report.scan_table import PER_SECOND, ratio, tau
from gaugemc.report.table import TAU, table
from gaugemc.report.tables import mean_text
from gaugemc.statistics.notation import (
    MISSING,
    format_bound,
    format_number,
    format_seconds,
    format_signed,
    number,
)

OF_SAMPLERS = ("sampler", "flow", "network", "dynamics", "loss", "training")
"""Groups of settings that say what samples; all others say what is sampled."""
SIGNIFICANT = 2.0
"""Errors by which a ratio must differ from 1 to decide."""

COSTS = {
    "Per second": PER_SECOND,
    "Per own force": ("ess_per_force_ratio", "force_error"),
}
"""The keys of a comparison, value and error, by what is counted."""

COST_HEADER = ["Sampler", "Own forces", "In forces of HMC", "Time of all chains", "Training"]
TUNED = '<span class="hmc">HMC</span>, tuned'

Winner = Literal["sampler", "hmc", "open"]


def samplers_differ(scan: Scan) -> bool:
    """Whether the scan compares samplers, and not one sampler with itself elsewhere."""
    return len({sampler_text(job) for job in scan.jobs if job.run}) > 1


def sampler_text(job: Job) -> str:
    """The sampler of a run, with its flow, and without its training where there is none."""
    assert job.run is not None
    flow, steps = job.settings.get("flow.name"), job.settings.get("training.steps")
    words = [label("flow", str(flow))] if flow else []
    words += ["not trained"] if steps == 0 else []
    return job.run.labels[0] + (f" ({', '.join(words)})" if words else "")


def place_keys(scan: Scan) -> list[str]:
    """The settings that vary, but for those of the samplers."""
    return [key for key in scan.varied if key.partition(".")[0] not in OF_SAMPLERS]


def places(scan: Scan) -> dict[str, list[Job]]:
    """The finished runs by what they sample."""
    keys = place_keys(scan)
    found: dict[str, list[Job]] = {}
    for job in scan.jobs:
        if job.run:
            where = ", ".join(setting_text(key, job.settings) for key in keys)
            found.setdefault(where, []).append(job)
    return found


def samplers(scan: Scan) -> str:
    """What each sampler found and cost at each place, and the verdicts in words."""
    if not samplers_differ(scan):
        return ""
    header = ["Sampler", "Mean", "<i>z</i>", f"{TAU} in draws", "Per own<br>force", "Per second"]
    header += ["Per second,<br>with training", "Paid<br>back after"]
    rows: list[list[str]] = []
    costs: list[list[str]] = []
    for where, jobs in places(scan).items():
        reference = next((job.run.part("hmc") for job in jobs if job.run), {})
        title = html.escape(f"{where}: ") if where else ""
        costs += [[html.escape(where)]] if where else []
        costs += [[TUNED, *cost_cells(reference, reference, math.nan)]] if reference else []
        costs += [[sampler_cell(job), *costs_of(job)] for job in jobs]
        for name in observables(jobs):
            rows.append([title + heading(name)])
            found = observed(reference, name)
            rows += [[TUNED, mean_text(found), "", tau(found), "1", "1", "", ""]] if found else []
            rows += [[sampler_cell(job), *cells(job, name, reference)] for job in jobs]
    note = (
        '<p class="note">≥ and ≤ mark bounds; ? where the chains of both leave open which is'
        " larger. <i>z</i>: the mean against that of HMC in errors, too large where an error is a"
        " bound. Ratios are to tuned HMC of the same run, timed in turns with it. <i>Per own"
        " force</i> counts a force of the sampler as one, whatever it costs. <i>Per second</i>"
        " counts it as what it costs in forces of HMC, and so an update of heatbath. <i>With"
        " training</i>: at the length of this run. <i>Paid back after</i>: independent values until"
        " training has paid.</p>"
    )
    found = table("Samplers", header, rows, kind="scan samplers")
    found += table("Cost of a draw", COST_HEADER, costs, kind="scan samplers")
    words = "".join(f"<p>{html.escape(sentence)}</p>\n" for sentence in verdicts(scan))
    return section("Samplers", "", words + found + note)


def observables(jobs: list[Job]) -> list[str]:
    """The numbers that all runs measured; t^2 E is E again."""
    runs = [job.run for job in jobs if job.run]
    names = [name for name in runs[0].numbers if name != "flowed_t2_energy"]
    return [name for name in names if all(name in run.numbers for run in runs)]


def observed(part: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What was measured of an observable."""
    return (part.get("observables") or {}).get(name) or {}


def sampler_cell(job: Job) -> str:
    """The name of a sampler."""
    return f'<span class="sampler">{html.escape(sampler_text(job))}</span>'


def costs_of(job: Job) -> list[str]:
    """What a draw of a run costs, and its training."""
    assert job.run is not None
    seconds = number(job.run.part("training").get("seconds"))
    return cost_cells(job.run.part("evaluate"), job.run.part("hmc"), seconds)


def cost_cells(part: Mapping[str, Any], hmc: Mapping[str, Any], training: float) -> list[str]:
    """What a draw costs in forces of the sampler, in forces of HMC and in time, and the training.

    The forces of HMC are those that HMC makes in the time of the draw.
    """
    seconds = [number(p.get("seconds_per_draw")) for p in (part, hmc)]
    forces = [number(p.get("force_evaluations")) for p in (part, hmc)]
    return [
        format_number(forces[0] or math.nan, 3),
        format_number(forces[1] * seconds[0] / seconds[1], 3),
        format_seconds(seconds[0]),
        format_seconds(training or math.nan),
    ]


def cells(job: Job, name: str, reference: Mapping[str, Any]) -> list[str]:
    """The row of a sampler behind its name."""
    run = job.run
    assert run is not None
    part, hmc = run.part("evaluate"), run.part("hmc")
    compared = run.part("comparison").get(name) or {}
    found, parts = observed(part, name), [observed(p, name) for p in (part, hmc)]
    seconds = number(run.part("training").get("seconds"))
    return [
        mean_text(found),
        distance_text(found, observed(reference, name)),
        tau(found),
        ratio(compared, parts, COSTS["Per own force"]),
        ratio(compared, parts),
        with_training(part, compared, seconds, parts),
        paid_back(part, found, compared, seconds),
    ]


def distance_text(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The difference of two means in its errors."""
    error = math.hypot(number(one.get("error")), number(other.get("error")))
    distance = number(one.get("mean")) - number(other.get("mean"))
    return format_signed(distance / error if error > 0 else math.nan)


def with_training(
    part: Mapping[str, Any],
    compared: Mapping[str, Any],
    seconds: float,
    parts: list[Mapping[str, Any]],
) -> str:
    """Independent values per second of training and draws, over those of HMC."""
    drawn = number(part.get("draws")) * number(part.get("seconds_per_draw"))
    share = drawn / (drawn + (0.0 if math.isnan(seconds) else seconds))
    scaled = {**compared, **{key: share * number(compared.get(key)) for key in PER_SECOND}}
    return ratio(scaled, parts)


def paid_back(
    part: Mapping[str, Any], found: Mapping[str, Any], compared: Mapping[str, Any], seconds: float
) -> str:
    """Independent values after which training and sampler took less time than HMC."""
    wins = winner(compared, *PER_SECOND)
    if math.isnan(seconds) or wins != "sampler":
        return "never" if seconds > 0 and wins == "hmc" else MISSING
    cost = 2 * number(found.get("tau_int")) * number(part.get("seconds_per_draw"))
    gain = number(compared.get("ess_per_second_ratio")) - 1
    return format_number(seconds * number(part.get("chains")) / (cost * gain), 2)


def winner(compared: Mapping[str, Any], value: str, error: str) -> Winner:
    """Who is cheaper, where the ratio differs from 1 by two errors and no bound leaves it open.

    The logarithm is compared: a ratio and its inverse are as far from 1.
    """
    ratio, spread = number(compared.get(value)), SIGNIFICANT * number(compared.get(error))
    low, high = bool(compared.get("lower_bound")), bool(compared.get("upper_bound"))
    if not (ratio > 0 and abs(math.log(ratio)) > spread / ratio):
        return "open"
    if ratio > 1:
        return "open" if high else "sampler"
    return "open" if low else "hmc"


def verdicts(scan: Scan) -> list[str]:
    """Who beats tuned HMC, per second and per own force: a sentence an observable and place."""
    return [
        sentence(where, jobs, name)
        for where, jobs in places(scan).items()
        for name in observables(jobs)
    ]


def headline(scan: Scan) -> str:
    """The verdicts on the first leading observable."""
    return " ".join(
        sentence(where, jobs, name)
        for where, jobs in places(scan).items()
        for name in observables(jobs)[:1]
    )


def sentence(where: str, jobs: list[Job], name: str) -> str:
    """The verdict on one observable at one place."""
    said = [
        f"{cost} {found}." for cost, keys in COSTS.items() if (found := ranking(jobs, name, *keys))
    ]
    what = f"Independent values of {called(name)}{f' at {where}' if where else ''}"
    return f"{what}, against tuned HMC: {' '.join(said) or 'not compared.'}"


def ranking(jobs: list[Job], name: str, value: str, error: str) -> str:
    """Who makes more than tuned HMC, who fewer, and for whom that is open; "" without numbers."""
    groups: dict[Winner, list[str]] = {"sampler": [], "hmc": [], "open": []}
    for job in jobs:
        compared = (job.run.part("comparison") if job.run else {}).get(name) or {}
        if math.isfinite(number(compared.get(value))):
            text = sampler_text(job) + times(compared, value, error)
            groups[winner(compared, value, error)].append(text)
    words = {"sampler": "more", "hmc": "fewer", "open": "undecided"}
    return "; ".join(f"{words[who]}: {', '.join(found)}" for who, found in groups.items() if found)


def times(compared: Mapping[str, Any], value: str, error: str) -> str:
    """A ratio in a sentence, after a space; nothing where it is bounded on neither side."""
    low, high = bool(compared.get("lower_bound")), bool(compared.get("upper_bound"))
    ratio, spread = number(compared.get(value)), number(compared.get(error))
    return "" if low and high else f" {format_bound(ratio, spread, lower=low, upper=high)}"
