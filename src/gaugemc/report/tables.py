"""Tables of the report, as HTML, from the parts of `summary.json`."""

# ruff: noqa: RUF001 (typographic signs are meant)

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gaugemc.report.names import MULTIPLES, by_array, heading
from gaugemc.report.table import TAU, reason_of, table, tag, tagged
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
    updates = [number(result.get("link_updates")) for result in results]
    local = any(n > 0 and not f > 0 for n, f in zip(updates, forces))
    rows = [
        row("Acceptance", [format_number(number(r.get("acceptance")), 3) for r in results]),
        row("Step size × steps", [steps_text(r) for r in results]),
        row("Forces per draw", [format_number(f, 3) for f in forces]),
        *(
            [row("Updates of each link per draw", [format_number(n, 3) for n in updates])]
            if local
            else []
        ),
        row("Time per draw of all chains", [format_seconds(s) for s in seconds]),
        row("Chains × draws", [length_text(r) for r in results]),
    ]
    rows = [line for line in rows if set(line[1:]) - {"", MISSING}]
    names = by_array(results[0].get("observables") or {})[""]
    for name in (name for name in names if name not in MULTIPLES):
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
        if local:
            rates = [rate_text(o, 1000.0, n) for o, n in zip(observed, updates)]
            rows.append(row("Independent per 1000 updates", rates))
    header = ["", *labels, *(["Ratio"] if compare else [])]
    kind = "" if compare else "narrow"
    return table("Cost of an independent sample", header, rows, kind=kind)


def reasons_of_bounds(labels: Sequence[str], results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why values of the cost table are bounds: one entry a reason, with whom it holds for."""
    holds: dict[str, list[str]] = {}
    for label, result in zip(labels, results):
        observables = result.get("observables") or {}
        for name in (name for name in by_array(observables)[""] if name not in MULTIPLES):
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
