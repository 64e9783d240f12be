"""The section of a scan's page that compares different samplers: means, costs, and who wins."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from gaugemc.report import seeds
from gaugemc.report.names import baseline_label, heading
from gaugemc.report.panels import section
from gaugemc.report.scan import Scan
from gaugemc.report.scan_members import Member, is_judged, observables, places
from gaugemc.report.scan_table import PER_SECOND, ratio, tau
from gaugemc.report.seeds import COSTS, Found
from gaugemc.report.table import TAU, table
from gaugemc.report.tables import mean_text
from gaugemc.statistics.compare import winner
from gaugemc.statistics.notation import (
    MISSING,
    format_bound,
    format_number,
    format_seconds,
    format_signed,
    number,
)

COST_HEADER = ["Sampler", "Own forces", "In forces of HMC", "Time of all chains", "Training"]


def samplers(scan: Scan) -> str:
    """What each sampler found and cost at each place."""
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
        '<p class="note">Bold: more or fewer than HMC by two errors. ≥ and ≤ mark bounds; ? where'
        " the chains of both leave open which is"
        " larger. <i>z</i>: the mean against that of HMC in errors, too large where an error is a"
        " bound. Ratios are to tuned HMC of the same run, timed in turns with it; of several HMC to"
        " the one that is tuned for the observable. <i>Per own force</i> counts a force of the"
        " sampler as one, whatever it costs; HMC is the best per second, or the best per force"
        " where <code>evaluate.tune_for=forces</code>. <i>Per second</i> counts it as what it costs"
        " in forces of HMC, and so an update of heatbath. <i>With training</i>: at the length of"
        " this run."
        " <i>Paid back after</i>: independent values until training has paid. Several seeds are one"
        " row: the mean over the seeds, of the logarithm where it is a ratio. Its error is that of"
        " the runs, or of their spread where the spread is larger.</p>"
    )
    found = table("Samplers", header, rows, kind="scan samplers")
    found += table("Cost of a draw", COST_HEADER, costs, kind="scan samplers")
    return section("Samplers", "", found + note)


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
        *(
            bold_where_decided(ratio(compared, parts, keys), compared, keys)
            for keys in (COSTS["Per own force"], PER_SECOND)
        ),
        with_training(part, compared, member.training, parts),
        paid_back(part, one, compared, member.training),
    ]


def bold_where_decided(text: str, compared: Found, keys: tuple[str, str]) -> str:
    """A ratio in bold, unless it leaves open who is cheaper."""
    return text if winner(compared, *keys) == "open" else f"<b>{text}</b>"


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
