"""The sections of the report, each from what the run left; one with nothing to show is empty."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from gaugemc.checks import tally
from gaugemc.report import tables
from gaugemc.report.checks_table import check_name, checks_table
from gaugemc.report.gauge_panels import gradient_flow, polyakov_loops, scale_text
from gaugemc.report.mixing import mixing
from gaugemc.report.names import baseline_label, by_array, heading, symbol
from gaugemc.report.panels import (
    autocorrelations,
    distribution,
    histories,
    section,
    training_curves,
)
from gaugemc.report.record import Run, coloured
from gaugemc.report.table import TAU
from gaugemc.report.table import table as table_of
from gaugemc.report.tuning_table import tuning_table
from gaugemc.statistics.notation import (
    MISSING,
    format_integer,
    format_lattice,
    format_number,
    format_seconds,
    number,
)


def body(run: Run) -> str:
    """The page from its title to its footer; a section with nothing to show is left out."""
    sections = [
        opening(run),
        histories(run),
        training_curves(run),
        distribution(run),
        gradient_flow(run),
        polyakov_loops(run),
        autocorrelations(run),
        cost(run),
        mixing(run),
        observables(run),
        checks(run),
        tuning(run),
        training(run),
        configuration(run),
    ]
    return "\n".join(part for part in sections if part)


def title_of(run: Run) -> str:
    """What was run, in one line."""
    theory = run.part("theory")
    lattice = theory.get("lattice") or []
    shape = format_lattice(lattice)
    beta = number(theory.get("beta"))
    name = str(theory.get("title") or theory.get("group") or theory.get("name") or "theory")
    words = [
        name,
        *([f"on {shape}"] if shape else []),
        *(
            [f"at β = {beta:g}"]
            if math.isfinite(beta) and theory.get("group", "") is not None
            else []
        ),
    ]
    rivals = [baseline_label(phase) for phase in list(run.phases)[1:2]]
    return f"{' against '.join([run.labels[0], *rivals])}: {' '.join(words)}"


def opening(run: Run) -> str:
    """Title, question, verdict with its badge, and the numbers that decide it."""
    state, badge = badge_of(run)
    label = html.escape(run.names[0])
    rival = "tuned HMC" if run.part("hmc") else "".join(map(baseline_label, run.part("baselines")))
    question = (
        f"Is {label} exact, and how many independent samples does it make "
        f"for what {rival} spends on one?"
        if rival
        else f"Is {label} exact, and what does an independent sample cost?"
    )
    verdict = html.escape(str(run.summary.get("verdict") or ""))
    titled = ("choice", "name", "title", "group", "lattice", "beta", "toy", "leading", "kernels")
    theory = {key: value for key, value in run.part("theory").items() if key not in titled}
    said = [f"{key} {plain(value)}" for key, value in theory.items() if value is not None]
    name, date = str(theory.get("name", "")), str(run.part("software").get("date", ""))
    name = "" if name in title_of(run) else name
    setting = html.escape(
        " · ".join(part for part in (name, *said, date.replace("T", " ")) if part)
    )
    return (
        f'<header>\n<h1>{html.escape(title_of(run))}</h1>\n<p class="setting">{setting}</p>\n'
        f'<p class="question">{question}</p>\n'
        f'<div class="verdict {state}"><span class="badge {state}">{badge}</span>'
        f"<p>{verdict}</p></div>\n"
        f"{key_numbers(run)}</header>"
    )


def badge_of(run: Run) -> tuple[str, str]:
    """The state and the text of the badge: how many checks passed, failed and are undecided."""
    found = tally(run.checks)
    if found.failed:
        names = "; ".join(check_name(name) for name in found.failed)
        return (
            "failed",
            f"✗ {len(found.failed)} of {found.total} checks failed: {names}{found.left}",
        )
    passed = f"{len(found.passed)} of {found.total} checks passed{found.left}"
    if not found.total:
        return "unchecked", "not checked"
    if found.open:
        return "undecided", f"? {passed}"
    return "passed", f"✓ {passed}"


def plain(value: object) -> str:
    """A value of the theory's description as text: a lattice as 8×8."""
    return format_lattice(value) if isinstance(value, list | tuple) else str(value)


def key_numbers(run: Run) -> str:
    """The few numbers that a reader wants first."""
    evaluate, comparison = run.part("evaluate"), run.part("comparison")
    leading = next((name for name in run.leading if name in comparison), "")
    compared = comparison.get(leading) or {}
    what, rival = symbol(leading), html.escape(run.baseline(leading))
    entries = [
        (
            f"Independent values of {what} per second, relative to {rival}",
            tables.ratio_text(compared, "ess_per_second_ratio", "error"),
        ),
        (
            f"Independent values of {what} per force, relative to {rival}",
            tables.ratio_text(compared, "ess_per_force_ratio", "force_error"),
        ),
    ]
    observables = evaluate.get("observables") or {}
    for name in run.drawn[-1:]:
        mean = tables.mean_text(observables[name] or {})
        entries.append((heading(name), mean))
    entries.append(("<i>t</i>₀/<i>a</i>²", scale_text(evaluate.get("flow") or {}, "t0")))
    ess = tables.quality_text(run.part("training"), "ess", lambda value: format_number(value, 3))
    entries.append(("Acceptance", format_number(number(evaluate.get("acceptance")), 3)))
    entries.append(("ESS of the flow, as a fraction", ess))
    shown = [(name, text) for name, text in entries if text != MISSING]
    items = "".join(f"<div><dt>{name}</dt><dd>{text}</dd></div>\n" for name, text in shown)
    return f'<dl class="key">\n{items}</dl>\n' if items else ""


def cost(run: Run) -> str:
    """The cost table, with the definition of what it counts and the reasons of its bounds."""
    reasons = tables.reasons_of_bounds(coloured(run.names), run.results)
    bounds = f"≥ and ≤ mark bounds. {'; '.join(reasons)}."
    if not reasons:
        bounds = f"≥ and ≤ mark bounds: a chain is too short for its {TAU}."
    note = (
        f'<p class="note">Independent samples are draws / 2{TAU}, per second over all '
        f"chains together. Errors are those of {TAU}; ratios include that of the time. "
        f"{bounds}</p>"
    )
    against = {name: run.baseline(name) for name in run.part("comparison")}
    content = tables.cost_table(run.headings, run.results, run.part("comparison"), against)
    return section("Cost of an independent sample", "", content + note)


def observables(run: Run) -> str:
    """Means against exact values."""
    measured = [o for result in run.results for o in (result.get("observables") or {}).values()]
    bounded = any((observable or {}).get("lower_bound") for observable in measured)
    text = (
        "<i>error ≥</i>: the error is a lower bound, and |<i>z</i>| an upper one."
        if bounded
        else ""
    )
    content = ""
    for array, names in by_array(run.part("evaluate").get("observables") or {}).items():
        table = tables.observables_table(run.headings, run.results, names, tau=bool(array))
        content += unfolding(f"{heading(array)}, {len(names)} entries", table) if array else table
    return section("Observables", text, content)


def checks(run: Run) -> str:
    """The exactness checks."""
    text = (
        "What an exact sampler satisfies, whatever it has learned. A check that chains are too "
        "short for, or have not converged for, is undecided."
    )
    return section("Exactness", text, checks_table(run.checks) if run.checks else "")


def tuning(run: Run) -> str:
    """The tuning grid of every sampler that was tuned, and why its best was chosen."""
    parts = [
        f"<h3>{heading}</h3>\n{tuning_table(result['tuning'])}{reasons(result['tuning'])}"
        for heading, result in zip(run.headings, run.results)
        if result.get("tuning")
    ]
    text = (
        "The trajectories that were tried: what was asked for, and what was reached. Scores: mean"
        " squared change of an observable over a cost that is the same for all, per force."
        " With evaluate.tune_for=seconds the cost counts what a draw needs beside its forces, too."
        " Differences within the errors choose nothing."
    )
    return section("Tuning", text, "\n".join(parts))


def reasons(tuning: Sequence[Mapping[str, Any]]) -> str:
    """Why the candidates were chosen, and why targets were missed, as notes below their table."""
    chosen = {
        name: f"{format_number(number(row.get('trajectory_length')), 3)} ({why})"
        for row in tuning
        for name, why in (row.get("chosen_for") or {}).items()
    }
    missed = {
        f"{format_number(number(row.get('length')), 3)} at {number(row.get('target')):g}": why
        for row in tuning
        if (why := row.get("miss"))
    }
    notes = [
        *(f"Length for {name.replace('_', ' ')}: {why}" for name, why in chosen.items()),
        *(f"Missed, length {asked}: {why}" for asked, why in missed.items()),
    ]
    return "".join(f'<p class="note">{html.escape(note)}.</p>\n' for note in notes)


def training(run: Run) -> str:
    """What the training ended with, and what went wrong in it."""
    summary = run.part("training")
    if not summary:
        return ""
    formats = {
        "steps": ("Steps", format_integer),
        "best_step": ("Step of the model that is used", format_integer),
        "seconds": ("Duration", format_seconds),
        "loss": ("Loss", format_number),
        "kl": ("KL divergence", format_number),
        "last_kl": ("KL divergence of the last model", format_number),
        "ess": ("ESS, as a fraction", lambda value: format_number(value, 3)),
        "last_ess": ("ESS of the last model", lambda value: format_number(value, 3)),
        "ess_samples": ("Fresh samples for the ESS", format_integer),
        "acceptance": ("Acceptance", lambda value: format_number(value, 3)),
        **{f"{name}_jump": (f"⟨Δ²⟩ of {symbol(name)}", format_number) for name in run.leading},
        "step_size": ("Mean step size", format_number),
        "charge_squared": ("⟨<i>Q</i>²⟩ under the flow", format_number),
        "charge_squared_exact": ("⟨<i>Q</i>²⟩, exact", format_number),
    }
    if summary.get("best_step") == summary.get("steps"):
        del formats["best_step"], formats["last_kl"], formats["last_ess"]
    rows = [
        [title, tables.quality_text(summary, name, write)]
        for name, (title, write) in formats.items()
    ]
    rows = [row for row in rows if row[1] != MISSING]
    warnings = [
        f'<p class="warning">⚠ {html.escape(text)}.</p>\n' for text in summary.get("warnings") or []
    ]
    table = table_of("Training", ["Quantity", "Value"], rows, kind="narrow")
    return section("Training", "", "".join(warnings) + table)


def configuration(run: Run) -> str:
    """The configuration, folded, and the versions that ran it."""
    parameters = run.part("sampler").get("parameters")
    listed = json.dumps(parameters, indent=2, ensure_ascii=False) if parameters else ""
    # The parameters are part of the configuration: they only stand in for it.
    shown = {"config.yaml": run.config, "Parameters of the sampler": listed}
    parts = [folded(title, text) for title, text in shown.items() if text][:1]
    software = [f"{k.replace('_', ' ')} {v}" for k, v in run.part("software").items() if v]
    footer = f"<footer>{html.escape(' · '.join(software))}</footer>" if software else ""
    return section("Configuration", "", "\n".join([*parts, footer]).strip())


def folded(title: str, text: str) -> str:
    """A block of plain text that opens on a click."""
    return unfolding(title, f"<pre>{html.escape(text)}</pre>")


def unfolding(title: str, content: str) -> str:
    """What opens on a click, in HTML."""
    return f"<details><summary>{title}</summary>{content}</details>"
