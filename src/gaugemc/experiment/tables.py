"""Tables of the report, as HTML, from the parts of `summary.json`."""

# ruff: noqa: RUF001 (typographic signs are meant)

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gaugemc.experiment.notation import (
    MISSING,
    format_error,
    format_integer,
    format_number,
    format_seconds,
    format_signed,
    number,
)

OBSERVABLES = {
    "plaquette": "Plaquette",
    "charge": "Charge <i>Q</i>",
    "charge_squared": "Charge squared <i>Q</i>²",
}
SYMBOLS = {"plaquette": "plaquettes", "charge": "<i>Q</i>", "charge_squared": "<i>Q</i>²"}
CHECKS = {
    "reversibility": "Reversibility of the dynamics",
    "log_det": "log|det <i>J</i>| against automatic differentiation",
    "exp_minus_delta_h": "⟨exp(−Δ<i>H</i>)⟩ = 1",
    "hmc_exp_minus_delta_h": "⟨exp(−Δ<i>H</i>)⟩ = 1, HMC",
    "plaquette": "Plaquette against its exact value",
    "hmc_plaquette": "Plaquette against its exact value, HMC",
    "charge_squared": "⟨<i>Q</i>²⟩ against its exact value",
    "hmc_charge_squared": "⟨<i>Q</i>²⟩ against its exact value, HMC",
}
TAU = '<i>τ</i><span class="sub">int</span>'


def in_order(entries: Mapping[str, Any]) -> list[str]:
    """The names of observables, the ones that matter in the field's order first."""
    return [name for name in OBSERVABLES if name in entries] + [
        name for name in entries if name not in OBSERVABLES
    ]


def name_of(names: Mapping[str, str], name: str) -> str:
    """A known name in its HTML form, any other escaped."""
    return names.get(name, html.escape(name.replace("_", " ")))


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


def bound(text: str, sign: str) -> str:
    """A value that is only a bound, marked so in words too."""
    if text in (MISSING, "∞"):
        return text
    word = "lower" if sign == "≥" else "upper"
    return f'{sign} {text} <span class="tag">{word} bound</span>'


def tau_text(observable: Mapping[str, Any]) -> str:
    """tau_int with its error, marked where the chain is too short for it."""
    text = format_error(number(observable.get("tau_int")), number(observable.get("tau_int_error")))
    return bound(text, "≥") if observable.get("lower_bound") else text


def rate_text(observable: Mapping[str, Any], draws: float, cost: float) -> str:
    """Independent samples per unit of cost, draws / (2 tau_int) / cost, with its error."""
    tau, error = number(observable.get("tau_int")), number(observable.get("tau_int_error"))
    if not (tau > 0 and cost > 0):
        return MISSING
    rate = draws / (2.0 * tau) / cost
    text = format_error(rate, rate * error / tau if math.isfinite(tau) else math.nan)
    return bound(text, "≤") if observable.get("lower_bound") else text


def ratio_text(compared: Mapping[str, Any], value: str, error: str) -> str:
    """A ratio of the comparison, times the error that belongs to it."""
    ratio = number(compared.get(value))
    if math.isnan(ratio):
        return MISSING
    text = f"×&#8202;{format_error(ratio, number(compared.get(error)))}"
    low, high = compared.get("lower_bound"), compared.get("upper_bound")
    if low and high:
        return f'{text} <span class="tag">chains too short</span>'
    if low or high:
        return bound(text, "≥" if low else "≤")
    return text


def quality_text(
    training: Mapping[str, Any], name: str, write: Callable[[float], str] = format_number
) -> str:
    """A number of the training, with its error where it has one; an ESS may be a bound."""
    value, error = number(training.get(name)), number(training.get(f"{name}_error"))
    text = write(value) if math.isnan(error) else format_error(value, error)
    return bound(text, "≤") if training.get(f"{name}_upper_bound") else text


def cost_table(
    labels: Sequence[str],
    results: Sequence[Mapping[str, Any]],
    comparison: Mapping[str, Any],
) -> str:
    """Cost of an independent sample: one column a sampler, the last the ratio of the two."""
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
    for name in in_order(results[0].get("observables") or {}):
        observed = [(r.get("observables") or {}).get(name) or {} for r in results]
        compared = comparison.get(name) or {}
        rates = [rate_text(o, n, s) for o, n, s in zip(observed, chains, seconds)]
        efficiencies = [rate_text(o, 1000.0, f) for o, f in zip(observed, forces)]
        rows.append([name_of(OBSERVABLES, name)])
        rows.append(row(f"{TAU} in draws", [tau_text(o) for o in observed]))
        ratio = ratio_text(compared, "ess_per_second_ratio", "error")
        rows.append(row("Independent per second", rates, ratio))
        if any(text != MISSING for text in efficiencies):
            ratio = ratio_text(compared, "ess_per_force_ratio", "force_error")
            rows.append(row("Independent per 1000 forces", efficiencies, ratio))
    header = ["", *labels, *(["Ratio"] if compare else [])]
    kind = "" if compare else "narrow"
    return table("Cost of an independent sample", header, rows, kind=kind)


def steps_text(result: Mapping[str, Any]) -> str:
    """Step size and number of steps of a trajectory."""
    step, count = number(result.get("step_size")), number(result.get("n_steps"))
    return MISSING if math.isnan(step) else f"{format_number(step, 3)} × {format_integer(count)}"


def length_text(result: Mapping[str, Any]) -> str:
    """Number of chains and of draws in each."""
    chains, draws = number(result.get("chains")), number(result.get("draws"))
    return f"{format_integer(chains)} × {format_integer(draws)}"


def observables_table(labels: Sequence[str], results: Sequence[Mapping[str, Any]]) -> str:
    """Means with errors against the exact values, with z-scores and the agreement of the chains."""
    rows = []
    for name in in_order(results[0].get("observables") or {}):
        for label, result in zip(labels, results):
            observed = (result.get("observables") or {}).get(name)
            if observed:
                mean = format_error(number(observed.get("mean")), number(observed.get("error")))
                r_hat = format_number(number((result.get("r_hat") or {}).get(name)))
                exact = format_number(number(observed.get("exact")), 6)
                z = format_signed(number(observed.get("z")))
                rows.append([name_of(OBSERVABLES, name), label, mean, exact, z, r_hat])
    header = ["Observable", "Sampler", "Mean", "Exact", "<i>z</i>", "R̂"]
    return table("Observables", *without_empty(header, rows), kind="observables")


def without_empty(
    header: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """Leave out the columns that no row has a value for."""
    kept = [i for i in range(len(header)) if {row[i] for row in rows} - {"", MISSING}]
    return [header[i] for i in kept], [[row[i] for i in kept] for row in rows]


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
        rows.append([name_of(CHECKS, name), outcome(check.get("passed")), measured, allowed])
    return table("Exactness checks", ["Check", "Outcome", "Measured", "Expected"], rows)


def expected_one(limit: str) -> str:
    """What a mean that must be one is allowed to be."""
    return "1" if limit == MISSING else f"1, |<i>z</i>| ≤ {limit}"


def outcome(passed: object) -> str:
    """Passed, failed, or not decided, in words and colour."""
    if passed is None:
        return MISSING
    return '<span class="pass">✓ passed</span>' if passed else '<span class="fail">✗ failed</span>'


def tuning_table(tuning: Sequence[Mapping[str, Any]]) -> str:
    """The grid that the step size and trajectory length were chosen from."""
    chosen = next((i for i, entry in enumerate(tuning) if entry.get("chosen")), -1)
    rows = [
        [
            format_number(number(entry.get("trajectory_length")), 3),
            format_number(number(entry.get("step_size")), 3),
            format_integer(number(entry.get("n_steps"))),
            format_number(number(entry.get("acceptance")), 3),
            format_number(number(entry.get("score")), 3),
            "✓ chosen" if index == chosen else "",
        ]
        for index, entry in enumerate(tuning)
    ]
    header = ["Trajectory length", "Step size", "Steps", "Acceptance", "Score", ""]
    return table("Tuning of the baseline", header, rows, chosen)
