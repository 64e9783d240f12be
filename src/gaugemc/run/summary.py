"""summary.json: the numbers of a run."""

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gaugemc.checks import tally
from gaugemc.choices.menu import label
from gaugemc.choices.settings import Settings
from gaugemc.choices.traits import baseline, has_hmc
from gaugemc.exact.solved import charge_distribution
from gaugemc.observables.flowed_energies import FlowedEnergies
from gaugemc.report.names import by_array
from gaugemc.run.baselines import baseline_for
from gaugemc.run.chain_phase import PhaseResult
from gaugemc.run.timing import Timing
from gaugemc.samplers import Heatbath
from gaugemc.samplers.compose import hmc_in
from gaugemc.statistics.autocorrelation import Estimate, estimates_of, z_score
from gaugemc.statistics.compare import Comparison, Cost, compare, winner
from gaugemc.statistics.flow_scales import flow_scales
from gaugemc.statistics.jackknife import blocks
from gaugemc.statistics.notation import format_error, format_lattice
from gaugemc.theories import Theory


def estimates(chains: PhaseResult) -> dict[str, Estimate]:
    """The estimate of every observable, with tau_int in draws."""
    theory, measurement = chains.sampler.theory, chains.measurement
    found = estimates_of(chains.draws.observables, theory.leading)
    dear = {n: e for n, e in found.items() if measurement.is_dear(theory, n.partition("[")[0])}
    every = measurement.every
    return found | {
        name: e._replace(tau_int=every * e.tau_int, tau_int_error=every * e.tau_int_error)
        for name, e in dear.items()
    }


def result(
    chains: PhaseResult,
    analysed: dict[str, Estimate],
    exact: dict[str, float],
    seconds_per_draw: float,
    burned_in: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The section of summary.json about one sampler."""
    info = chains.draws.info
    n_chains, draws = info.accepted.shape
    sampler, forces = chains.sampler, float(info.force_evaluations.mean())
    hmc = hmc_in(sampler)
    sweeps = 1 + sampler.overrelaxation if isinstance(sampler, Heatbath) else 0
    return {
        "acceptance": float(info.acceptance.mean()),
        "seconds": chains.seconds,
        "seconds_per_draw": seconds_per_draw,
        "force_evaluations": forces,
        "link_updates": sweeps or forces,
        "chains": n_chains,
        "draws": draws,
        "step_size": None if hmc is None else float(hmc.step_size),
        "n_steps": None if hmc is None else int(hmc.n_steps),
        "integrator": None if hmc is None else hmc.integrator.name,
        "r_hat": {name: e.r_hat for name, e in analysed.items()},
        "observables": {
            name: {
                **e._asdict(),
                "exact": exact.get(name),
                "z": z_score(e, exact[name]) if name in exact else None,
            }
            for name, e in analysed.items()
        },
        "flow": flow_section(chains, analysed),
        "burn_in": burned_in,
        "tuning": chains.tuning,
    }


def flow_section(chains: PhaseResult, analysed: dict[str, Estimate]) -> dict[str, Any] | None:
    """E(t), t0 and w0 of a sampler's chains, where the gradient flow was measured.

    Errors of t0 and w0 are those of the jackknife over chains, or parts of few chains. They are
    bounds where the error of E at the end of the flow is one.
    """
    flowed = next((o for o in chains.measurement.more if isinstance(o, FlowedEnergies)), None)
    if flowed is None:
        return None
    times = np.array(flowed.times)
    along = [analysed[f"{flowed.name}[{i}]"] for i in range(times.size)]
    scales = flow_scales(times, blocks(chains.draws.observables[flowed.name]))
    return {
        "time": times.tolist(),
        "energy": [e.mean for e in along],
        "energy_error": [e.error for e in along],
        "t2_energy": [time**2 * e.mean for time, e in zip(flowed.times, along)],
        **scales._asdict(),
        "lower_bound": along[-1].lower_bound,
        "reason": along[-1].reason,
    }


def comparisons(
    measured: Sequence[PhaseResult], analysed: Sequence[dict[str, Estimate]], timing: Timing
) -> dict[str, Comparison]:
    """The comparison of the first with the baselines behind it, by observable."""

    def cost(index: int) -> Cost:
        forces = float(measured[index].draws.info.force_evaluations.mean())
        return Cost(timing.seconds[index], forces)

    names = [chains.name for chains in measured]
    against = {name: names.index(baseline_for(name, names[1:])) for name in analysed[0]}
    return {
        name: compare(e, cost(0), analysed[i][name], cost(i), timing.ratio_errors[i])
        for (name, e), i in zip(analysed[0].items(), against.values())
    }


def comparison_section(
    compared: dict[str, Comparison], baselines: Sequence[PhaseResult]
) -> dict[str, dict[str, Any]]:
    """The section of summary.json about the comparison; `baseline` names what it is with."""
    names = [chains.name for chains in baselines]
    return {
        name: {**c._asdict(), "baseline": baseline_for(name, names)} for name, c in compared.items()
    }


def verdict(
    settings: Settings,
    comparison: dict[str, Comparison] | None,
    measured: dict[str, Any],
    checks: dict[str, Any],
    leading: Sequence[str],
) -> str:
    """One sentence: what is cheaper, by how much, and whether the checks passed."""
    name = settings.sampler.label
    theory = settings.theory
    where = (
        f"At β = {theory.beta:g} on {format_lattice(theory.lattice)}{theory.with_action}, {name}"
        if theory.group is not None
        else f"On the {theory.name}, {name}"
    )
    ending = f"{tally(checks).sentence()}."
    unconverged = checks.get("convergence", {}).get("why")
    if unconverged:
        ending = f"{ending[:-1]} ({unconverged})."
    if comparison is None:
        return f"{where} ran with acceptance {measured['acceptance']:.2f}; {ending}"
    short = label("sampler", baseline(settings))
    rival = f"tuned {short}" if has_hmc(settings) else short
    key = next(name for name in (*leading, *comparison) if name in comparison)
    what = {"charge": "topological charges"}.get(key, f"{key.replace('_', ' ')} values")
    c = comparison[key]
    dearer = [
        n for n in by_array(comparison)[""] if n != key and winner(comparison[n]._asdict()) == "hmc"
    ]
    others = f" ({short} is cheaper for {' and '.join(dearer)})" if dearer else ""
    ratio = format_error(c.ess_per_second_ratio, c.error)
    many = f"times as many independent {what} per second as {rival}"
    who = winner(c._asdict())
    if who == "hmc":  # an upper bound may say so, and a lower bound never
        bound = "at most" if c.upper_bound else "only"
        claim = f"makes {bound} {ratio} {many}: here {rival} is the better choice"
    elif c.upper_bound:
        claim = f"has chains too short to judge its independent {what}"
    else:
        bound = "at least " if c.lower_bound else ""
        doubt = "" if who == "sampler" or c.lower_bound else ", which decides nothing"
        claim = f"makes {bound}{ratio} {many}{doubt}{others}"
    return f"{where} {claim}; {ending}"


def theory_section(settings: Settings, theory: Theory) -> dict[str, Any]:
    """The section of summary.json about the theory."""
    described = dataclasses.asdict(settings.theory)
    kernels = "compiled" if theory.compiled_couplings else "xla"
    return {**described, "title": theory.name, "leading": list(theory.leading), "kernels": kernels}


def charge_section(theory: Theory, smallest: float = 1e-6) -> dict[str, Any] | None:
    """The exact P(Q), where it is known and not negligible."""
    known = sorted(charge_distribution(theory).items())
    kept = {q: p for q, p in known if p >= smallest}
    return {"values": list(kept), "probability": list(kept.values())} if kept else None


def to_json(summary: dict[str, Any]) -> str:
    """JSON; NaN and infinity, which JSON lacks, become null."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: clean(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [clean(v) for v in value]
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return value

    return json.dumps(clean(summary), indent=2, allow_nan=False) + "\n"
