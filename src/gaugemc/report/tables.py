"""Tables of the report, as HTML, from the parts of `summary.json`."""

# ruff: noqa: RUF001 (typographic signs are meant)

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gaugemc.checks.outcome import Outcome, baseline_of, outcome_of
from gaugemc.report.names import by_array, heading, symbol
from gaugemc.statistics.notation import (
    MISSING,
    format_bound,
    format_error,
    format_integer,
    format_number,
    format_seconds,
    format_signed,
    number,
)

CHECKS = {
    "reversibility": "Reversibility of the dynamics",
    "log_det": "log|det <i>J</i>| against automatic differentiation",
    "convergence": "Convergence of the chains",
    "exp_minus_delta_h": "⟨exp(−Δ<i>H</i>)⟩ = 1",
}
TAU = '<i>τ</i><span class="sub">int</span>'


def table(
    caption: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    chosen: int = -1,
    kind: str = "",
) -> str:
    """A table whose cells are HTML; the first column heads the rows.

    A row of one cell heads the rows below it; the row `chosen` stands out; `kind` is a CSS class.
    """
    head = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    body = ""
    for index, row in enumerate(rows):
        if len(row) == 1:
            title = f'<th scope="rowgroup" colspan="{len(header)}">{row[0]}</th>'
            body += f'</tbody>\n<tbody class="group"><tr>{title}</tr>\n'
            continue
        mark = ' class="chosen"' if index == chosen else ""
        cells = f'<th scope="row">{row[0]}</th>' + "".join(f"<td>{cell}</td>" for cell in row[1:])
        body += f"<tr{mark}>{cells}</tr>\n"
    name = html.escape(caption)
    # Focusable, so that a keyboard can scroll it.
    return (
        f'<div class="scroll {kind}" tabindex="0" role="region" aria-label="{name}">'
        f'<table aria-label="{name}"><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}</tbody></table></div>"
    )


def tagged(text: str, lower: bool = False, upper: bool = False, reasons: Sequence[str] = ()) -> str:
    """A value whose sign marks it as a bound, marked so in words too; a tooltip says why."""
    if not (lower or upper) or text == MISSING:
        return text
    word = "undecided" if lower and upper else "lower bound" if lower else "upper bound"
    return f"{text} {tag(word, reasons)}"


def tag(word: str, reasons: Sequence[str] = ()) -> str:
    """A small mark behind a value, with a tooltip where there are reasons."""
    why = html.escape("; ".join(dict.fromkeys(reason for reason in reasons if reason)))
    title = f' title="{why}"' if why else ""
    return f'<span class="tag"{title}>{word}</span>'


def reason_of(observable: Mapping[str, Any]) -> str:
    """Why what was measured of an observable is only a bound; "" where that is not known."""
    return str(observable.get("reason") or "") if observable.get("lower_bound") else ""


def mean_text(observable: Mapping[str, Any]) -> str:
    """The mean with its error, marked where the error is only a bound."""
    low, error = bool(observable.get("lower_bound")), number(observable.get("error"))
    # A single frozen chain shows no spread at all, which is no error of zero.
    text = format_error(number(observable.get("mean")), math.nan if low and error == 0 else error)
    marked = low and text != MISSING
    return f"{text} {tag('error ≥', [reason_of(observable)])}" if marked else text


def tau_text(observable: Mapping[str, Any]) -> str:
    """tau_int with its error, marked where it is only a bound."""
    low = bool(observable.get("lower_bound"))
    tau, error = number(observable.get("tau_int")), number(observable.get("tau_int_error"))
    return tagged(format_bound(tau, error, lower=low), lower=low, reasons=[reason_of(observable)])


def rate_text(observable: Mapping[str, Any], draws: float, cost: float) -> str:
    """Independent samples per unit of cost, draws / (2 tau_int) / cost, with its error."""
    tau, error = number(observable.get("tau_int")), number(observable.get("tau_int_error"))
    if not (tau > 0 and cost > 0):
        return MISSING
    rate, high = draws / (2.0 * tau) / cost, bool(observable.get("lower_bound"))
    text = format_bound(rate, rate * error / tau if math.isfinite(tau) else math.nan, upper=high)
    return tagged(text, upper=high, reasons=[reason_of(observable)])


def ratio_text(
    compared: Mapping[str, Any], value: str, error: str, reasons: Sequence[str] = ()
) -> str:
    """A ratio of the comparison, times the error that belongs to it."""
    ratio = number(compared.get(value))
    if math.isnan(ratio):
        return MISSING
    low, high = bool(compared.get("lower_bound")), bool(compared.get("upper_bound"))
    text = format_bound(ratio, number(compared.get(error)), lower=low, upper=high)
    sign, _, digits = text.rpartition(" ")
    return tagged(f"{sign} ×&#8202;{digits}".strip(), low, high, reasons)


def quality_text(
    training: Mapping[str, Any], name: str, write: Callable[[float], str] = format_number
) -> str:
    """A number of the training, with its error where it has one; an ESS may be a bound."""
    value, error = number(training.get(name)), number(training.get(f"{name}_error"))
    if training.get(f"{name}_upper_bound"):
        return tagged(format_bound(value, error, upper=True), upper=True)
    return write(value) if math.isnan(error) else format_error(value, error)


def cost_table(
    labels: Sequence[str],
    results: Sequence[Mapping[str, Any]],
    comparison: Mapping[str, Any],
    against: Mapping[str, str],
) -> str:
    """Cost of an independent sample: one column a sampler, the last the ratio to a baseline.

    `against` says for each observable which baseline that is, where there is more than one.
    """
    compare = len(results) > 1

    def row(title: str, cells: Sequence[str], ratio: str = "") -> list[str]:
        return [title, *cells, *([ratio] if compare else [])]

    seconds = [number(result.get("seconds_per_draw")) for result in results]
    forces = [number(result.get("force_evaluations")) for result in results]
    chains = [number(result.get("chains")) for result in results]
    rows = [
        row("Acceptance", [format_number(number(r.get("acceptance")), 3) for r in results]),
        row("Step size × steps", [steps_text(r) for r in results]),
        row("Forces per draw", [format_number(f, 3) for f in forces]),
        row("Time per draw of all chains", [format_seconds(s) for s in seconds]),
        row("Chains × draws", [length_text(r) for r in results]),
    ]
    rows = [line for line in rows if set(line[1:]) - {"", MISSING}]
    for name in by_array(results[0].get("observables") or {})[""]:
        observed = [(r.get("observables") or {}).get(name) or {} for r in results]
        compared = comparison.get(name) or {}
        rates = [rate_text(o, n, s) for o, n, s in zip(observed, chains, seconds)]
        efficiencies = [rate_text(o, 1000.0, f) for o, f in zip(observed, forces)]
        several = len(set(against.values())) > 1
        which = f" (ratio to {html.escape(against.get(name, MISSING))})" if several else ""
        rows.append([heading(name) + which])
        rows.append(row(f"{TAU} in draws", [tau_text(o) for o in observed]))
        reasons = [reason_of(o) for o in observed]
        ratio = ratio_text(compared, "ess_per_second_ratio", "error", reasons)
        rows.append(row("Independent per second", rates, ratio))
        if any(text != MISSING for text in efficiencies):
            ratio = ratio_text(compared, "ess_per_force_ratio", "force_error", reasons)
            rows.append(row("Independent per 1000 forces", efficiencies, ratio))
    header = ["", *labels, *(["Ratio"] if compare else [])]
    kind = "" if compare else "narrow"
    return table("Cost of an independent sample", header, rows, kind=kind)


def reasons_of_bounds(labels: Sequence[str], results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why values of the cost table are bounds: one entry a reason, with whom it holds for."""
    holds: dict[str, list[str]] = {}
    for label, result in zip(labels, results):
        observables = result.get("observables") or {}
        for name in by_array(observables)[""]:
            reason = reason_of(observables[name] or {})
            if reason:
                holds.setdefault(reason, []).append(f"{heading(name)} of {label}")
    return [f"{', '.join(where)}: {html.escape(reason)}" for reason, where in holds.items()]


def steps_text(result: Mapping[str, Any]) -> str:
    """Step size and number of steps of a trajectory."""
    step, count = number(result.get("step_size")), number(result.get("n_steps"))
    return MISSING if math.isnan(step) else f"{format_number(step, 3)} × {format_integer(count)}"


def length_text(result: Mapping[str, Any]) -> str:
    """Number of chains and of draws in each."""
    chains, draws = number(result.get("chains")), number(result.get("draws"))
    return f"{format_integer(chains)} × {format_integer(draws)}"


def observables_table(
    labels: Sequence[str], results: Sequence[Mapping[str, Any]], names: Sequence[str], tau: bool
) -> str:
    """Means with errors against the exact values, with z-scores and the agreement of the chains.

    With `tau` also autocorrelation times, of observables that the cost table leaves out.
    """
    rows = []
    for name in names:
        for label, result in zip(labels, results):
            observed = (result.get("observables") or {}).get(name)
            if observed:
                mean = mean_text(observed)
                r_hat = format_number(number((result.get("r_hat") or {}).get(name)))
                exact = format_number(number(observed.get("exact")), 6)
                z = format_signed(number(observed.get("z")))
                time = tau_text(observed) if tau else ""
                rows.append([heading(name), label, mean, time, exact, z, r_hat])
    header = ["Observable", "Sampler", "Mean", f"{TAU} in draws", "Exact", "<i>z</i>", "R̂"]
    return table("Observables", *without_empty(header, rows), kind="observables")


def without_empty(
    header: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """Leave out the columns that no row has a value for."""
    kept = [i for i in range(len(header)) if {row[i] for row in rows} - {"", MISSING}]
    return [header[i] for i in kept], [[row[i] for i in kept] for row in rows]


def check_name(name: str) -> str:
    """The name of a check in HTML: what is checked, of which member, and of the baseline."""
    baseline, check = baseline_of(name)
    kind, _, member = check.partition(".")
    parts = [CHECKS.get(kind) or f"{heading(kind)} against its exact value"]
    if member:
        parts.append(html.escape(member.replace("_", " ").replace(".", ", ")))
    if baseline:
        what = html.escape(baseline.partition("-")[2].replace("_", " "))
        parts.append(f"HMC for {what}" if what else "HMC")
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
    return table("Tuning", [*header, ""], rows, chosen)


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
