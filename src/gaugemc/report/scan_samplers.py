"""The section of a scan's page that compares different samplers: means, costs, and who wins."""

from __future__ import annotations

import html
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gaugemc.choices.menu import label
from gaugemc.report import seeds
from gaugemc.report.names import baseline_label, called, heading
from gaugemc.report.panels import section
from gaugemc.report.record import Run
from gaugemc.report.scan import Job, Scan, setting_text, value_text
from gaugemc.report.scan_table import PER_SECOND, ratio, tau
from gaugemc.report.seeds import COSTS, Found
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

COST_HEADER = ["Sampler", "Own forces", "In forces of HMC", "Time of all chains", "Training"]

Winner = Literal["sampler", "hmc", "open"]


@dataclass(frozen=True)
class Member:
    """A sampler at one place: runs that differ in their seed alone."""

    name: str
    runs: Sequence[Run]

    @property
    def label(self) -> str:
        """Its name, and the number of seeds where there are several."""
        return self.name if len(self.runs) == 1 else f"{self.name}, {len(self.runs)} seeds"

    @property
    def cell(self) -> str:
        """The label in a table."""
        return f'<span class="sampler">{html.escape(self.label)}</span>'

    def baselines(self, name: str) -> list[str]:
        """The phase that an observable is compared with, in each run."""
        return [run.compared_with(name) for run in self.runs]

    def compared(self, name: str) -> Found:
        """The comparison of an observable with tuned HMC."""
        return seeds.comparison([run.part("comparison").get(name) or {} for run in self.runs])

    def observed(self, name: str) -> list[Found]:
        """What each run measured of an observable."""
        return [observed(run.part("evaluate"), name) for run in self.runs]

    def of_hmc(self, name: str) -> list[Found]:
        """What the HMC of each run measured that the observable is compared with."""
        phases = zip(self.runs, self.baselines(name))
        return [observed(run.phases.get(phase) or {}, name) for run, phase in phases]

    def cost(self, phase: str) -> Found:
        """What a draw of a phase costs, in the runs that have the phase."""
        return seeds.cost([run.phases[phase] for run in self.runs if run.phases.get(phase)])

    @property
    def training(self) -> float:
        """Seconds, on average; NaN where nothing was trained."""
        return statistics.fmean(number(run.part("training").get("seconds")) for run in self.runs)


def samplers_differ(scan: Scan) -> bool:
    """Whether the scan compares samplers, and not one sampler with itself elsewhere."""
    return len({sampler_text(job) for job in scan.jobs if job.run}) > 1


def is_judged(scan: Scan) -> bool:
    """Whether runs of a scan are judged together: samplers side by side, or seeds as one."""
    return samplers_differ(scan) or bool(seed_key(scan))


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


def places(scan: Scan) -> dict[str, list[Member]]:
    """The samplers with finished runs, by what they sample."""
    keys = [key for key in place_keys(scan) if key != seed_key(scan)]
    apart = [key for key in scan.varied if key != seed_key(scan)]
    found: dict[str, dict[tuple[str, ...], list[Job]]] = {}
    for job in scan.jobs:
        if job.run:
            where = ", ".join(setting_text(key, job.settings) for key in keys)
            same = tuple(value_text(key, job.settings.get(key)) for key in apart)
            found.setdefault(where, {}).setdefault((sampler_text(job), *same), []).append(job)
    return {
        where: [
            Member(name, [job.run for job in jobs if job.run])
            for (name, *_), jobs in members.items()
        ]
        for where, members in found.items()
    }


def seed_key(scan: Scan) -> str:
    """The key of the seed, where nothing else varies along with it; else nothing."""
    return "seed" if scan.varied.get("seed") == [] else ""


def samplers(scan: Scan) -> str:
    """What each sampler found and cost at each place, and the verdicts in words."""
    if not is_judged(scan):
        return ""
    header = ["Sampler", "Mean", "<i>z</i>", f"{TAU} in draws", "Per own<br>force", "Per second"]
    header += ["Per second,<br>with training", "Paid<br>back after"]
    rows: list[list[str]] = []
    costs: list[list[str]] = []
    for where, members in places(scan).items():
        title = html.escape(f"{where}: ") if where else ""
        costs += [[html.escape(where)]] if where else []
        costs += cost_rows(members)
        for name in observables(members):
            rows += [[title + heading(name)], *observable_rows(members, name)]
    note = (
        '<p class="note">≥ and ≤ mark bounds; ? where the chains of both leave open which is'
        " larger. <i>z</i>: the mean against that of HMC in errors, too large where an error is a"
        " bound. Ratios are to tuned HMC of the same run, timed in turns with it; of several HMC to"
        " the one that is tuned for the observable. <i>Per own force</i> counts a force of the"
        " sampler as one, whatever it costs. <i>Per second</i> counts it as what it costs in forces"
        " of HMC, and so an update of heatbath. <i>With training</i>: at the length of this run."
        " <i>Paid back after</i>: independent values until training has paid. Several seeds are one"
        " row: the mean over the seeds, of the logarithm where it is a ratio. Its error is that of"
        " the runs, or of their spread where the spread is larger.</p>"
    )
    found = table("Samplers", header, rows, kind="scan samplers")
    found += table("Cost of a draw", COST_HEADER, costs, kind="scan samplers")
    words = "".join(f"<p>{html.escape(sentence)}</p>\n" for sentence in verdicts(scan))
    return section("Samplers", "", words + found + note)


def observable_rows(members: Sequence[Member], name: str) -> list[list[str]]:
    """The rows of one observable; before samplers stands the HMC that they are compared with."""
    rows: list[list[str]] = []
    shown: list[list[Found]] = []
    for member in members:
        reference = member.of_hmc(name)
        if all(reference) and reference not in shown:
            shown.append(reference)
            found = seeds.observable(reference)
            title = hmc_cell(member.baselines(name), len(reference))
            rows.append([title, mean_text(found), "", tau(found), "1", "1", "", ""])
        rows.append([member.cell, *cells(member, name)])
    return rows


def hmc_cell(phases: Sequence[str], count: int) -> str:
    """The name of tuned HMC in so many seeds, and what each HMC is tuned for where all agree."""
    label = baseline_label(phases[0] if len(set(phases)) == 1 else "hmc")
    return f'<span class="hmc">{html.escape(label)}</span>, tuned' + (
        f", {count} seeds" if count > 1 else ""
    )


def observables(members: Sequence[Member]) -> list[str]:
    """The numbers that all runs measured, the slowest first; t^2 E is E again."""
    runs = [run for member in members for run in member.runs]
    names = [name for name in runs[0].numbers if name != "flowed_t2_energy"]
    return [name for name in names if all(name in run.numbers for run in runs)]


def observed(part: Mapping[str, Any], name: str) -> Found:
    """What was measured of an observable."""
    return (part.get("observables") or {}).get(name) or {}


def cost_rows(members: Sequence[Member]) -> list[list[str]]:
    """What a draw costs: of each HMC, in the runs of the first sampler, and of the samplers."""
    runs = members[0].runs
    phases = dict.fromkeys(p for run in runs for p in run.phases if p.partition("-")[0] == "hmc")
    rows = []
    for phase in phases:
        count = sum(phase in run.phases for run in runs)
        costs = members[0].cost(phase), members[0].cost("hmc")
        rows.append([hmc_cell([phase], count), *cost_cells(*costs, math.nan)])
    for member in members:
        costs = member.cost("evaluate"), member.cost("hmc")
        rows.append([member.cell, *cost_cells(*costs, member.training)])
    return rows


def cost_cells(part: Found, hmc: Found, training: float) -> list[str]:
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


def cells(member: Member, name: str) -> list[str]:
    """The row of a sampler behind its name."""
    part, compared = member.cost("evaluate"), member.compared(name)
    found, reference = member.observed(name), member.of_hmc(name)
    one = seeds.observable(found)
    parts = [one, seeds.bounds(reference)]
    return [
        mean_text(one),
        format_signed(seeds.distance(found, reference)),
        tau(one),
        ratio(compared, parts, COSTS["Per own force"]),
        ratio(compared, parts),
        with_training(part, compared, member.training, parts),
        paid_back(part, one, compared, member.training),
    ]


def with_training(part: Found, compared: Found, seconds: float, parts: Sequence[Found]) -> str:
    """Independent values per second of training and draws, over those of HMC."""
    drawn = number(part.get("draws")) * number(part.get("seconds_per_draw"))
    share = drawn / (drawn + (0.0 if math.isnan(seconds) else seconds))
    scaled = {**compared, **{key: share * number(compared.get(key)) for key in PER_SECOND}}
    return ratio(scaled, parts)


def paid_back(part: Found, found: Found, compared: Found, seconds: float) -> str:
    """Independent values after which training and sampler took less time than HMC.

    The error is that of the ratio, and no smaller than it is: tau_int of the sampler is in both.
    """
    wins = winner(compared, *PER_SECOND)
    if math.isnan(seconds) or wins != "sampler":
        return "never" if seconds > 0 and wins == "hmc" else MISSING
    cost = 2 * number(found.get("tau_int")) * number(part.get("seconds_per_draw"))
    gain, error = (number(compared.get(key)) - least for key, least in zip(PER_SECOND, (1, 0)))
    values = seconds * number(part.get("chains")) / (cost * gain)
    return format_bound(values, values * error / gain, upper=bool(compared.get("lower_bound")))


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
        sentence(where, members, name)
        for where, members in places(scan).items()
        for name in observables(members)
    ]


def headline(scan: Scan) -> str:
    """The verdicts on the slowest observable."""
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
    return "; ".join(f"{words[who]}: {', '.join(found)}" for who, found in groups.items() if found)


def times(compared: Mapping[str, Any], value: str, error: str) -> str:
    """A ratio in a sentence, after a space; nothing where it is bounded on neither side."""
    low, high = bool(compared.get("lower_bound")), bool(compared.get("upper_bound"))
    ratio, spread = number(compared.get(value)), number(compared.get(error))
    return "" if low and high else f" {format_bound(ratio, spread, lower=low, upper=high)}"
