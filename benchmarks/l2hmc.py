"""Trained L2HMC against tuned HMC in two-dimensional U(1): a ladder of runs in beta.

    python benchmarks/l2hmc.py [--runs DIRECTORY]

prints the table of docs/l2hmc.md. Each rung is a run of `gaugemc` on 16x16 with 8 leapfrogs a draw;
it starts from the trained leapfrog of the rung below, and tuned HMC runs beside it.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ladder import run
from measure import Row

from gaugemc.io.ensemble import read_draws
from gaugemc.statistics.notation import format_error

BETAS = (2, 3, 4, 5, 6, 7)

COMMON = (
    *("sampler=l2hmc", "theory.lattice=[16,16]", "dynamics.n_leapfrog=4", "dynamics.eps=0.25"),
    *("training.steps=800", "training.learning_rate=3e-3", "training.quality_every=1000000"),
    *("evaluate.draws=4000", "evaluate.warmup=500", "evaluate.hmc_draws=8000"),
    *("evaluate.hmc_warmup=1000", "evaluate.most_steps=20", "evaluate.tune_iterations=40"),
    "evaluate.tune_for=forces",
)

HEAD = (
    *("β", "acceptance", "⟨(ΔQ)²⟩ a draw", "τ_int(Q)", "tuned HMC: forces a draw"),
    *("⟨(ΔQ)²⟩", "τ_int(Q)", "L2HMC/HMC: ⟨(ΔQ)²⟩ a force", "1/τ_int a force", "1/τ_int a second"),
)


class Rung(NamedTuple):
    """A run of the ladder: its summary.json, and <(Delta Q)^2> of a draw of either sampler."""

    summary: dict[str, Any]
    moved: tuple[tuple[float, float], tuple[float, float]]
    """Mean over chains and its error; of L2HMC, and of HMC."""


def tunnelling(path: Path) -> tuple[float, float]:
    """The mean squared change of the charge in one draw, with the error from the chains' spread."""
    charge = read_draws(path)[0].observables["charge"]
    chains = np.mean(np.diff(charge, axis=1) ** 2, axis=1)
    return float(chains.mean()), float(chains.std(ddof=1) / np.sqrt(len(chains)))


def climb(runs: Path) -> list[Rung]:
    """All rungs; those that are finished are read."""
    rungs, below = [], None
    for beta in BETAS:
        directory = runs / f"l2hmc-{beta}"
        start = [] if below is None else [f"dynamics.load={runs / f'l2hmc-{below}'}"]
        start += (
            ["training.annealing=none"]
            if below is None
            else [f"training.anneal_start={below / beta}"]
        )
        summary = run(directory, *COMMON, f"theory.beta={beta}", *start)
        moved = [tunnelling(directory / f"chains/{name}.h5") for name in ("evaluate", "hmc")]
        rungs.append(Rung(summary, (moved[0], moved[1])))
        below = beta
    return rungs


def against_hmc(runs: Path) -> list[Row]:
    """Rows of the table of benchmarks: independent charges for the same cost."""
    rows = []
    for rung in climb(runs):
        charge = rung.summary["comparison"]["charge"]
        if charge["upper_bound"]:  # the chains of L2HMC itself are too short: no ratio is known
            continue
        what = f"L2HMC, 16×16, β = {rung.summary['theory']['beta']:g}, over tuned HMC: charges per"
        for cost, error in (("force", "force_error"), ("second", "error")):
            ratio = charge[f"ess_per_{cost}_ratio"]
            rows.append(Row(f"{what} {cost}", ratio, charge[error], bound=charge["lower_bound"]))
    return rows


def tau(section: dict[str, Any]) -> str:
    """tau_int of the charge, or a bound."""
    charge = section["observables"]["charge"]
    if charge["lower_bound"]:
        return f"≥ {charge['tau_int']:.0f}"
    return format_error(charge["tau_int"], charge["tau_int_error"])


def cells(rung: Rung) -> list[str]:
    """A row of the table."""
    summary, (ours, theirs) = rung
    here, hmc, charge = summary["evaluate"], summary["hmc"], summary["comparison"]["charge"]
    forces = hmc["force_evaluations"] / here["force_evaluations"]
    ratio = ours[0] / theirs[0] * forces
    error = ratio * float(np.hypot(ours[1] / ours[0], theirs[1] / theirs[0]))
    known = not charge["lower_bound"] and not charge["upper_bound"]
    per_force = format_error(charge["ess_per_force_ratio"], charge["force_error"])
    per_second = format_error(charge["ess_per_second_ratio"], charge["error"])
    return [
        f"{summary['theory']['beta']:g}",
        f"{here['acceptance']:.2f}",
        format_error(*ours),
        tau(here),
        f"{hmc['force_evaluations']:g}",
        format_error(*theirs),
        tau(hmc),
        format_error(ratio, error),
        per_force if known else "not known",
        per_second if known else "not known",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, help="keep runs here; finished ones are read")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as temporary:
        rungs = climb(runs or Path(temporary))
    print("| " + " | ".join(HEAD) + " |")
    print("|" + " --- |" * len(HEAD))
    for rung in rungs:
        print("| " + " | ".join(cells(rung)) + " |")


if __name__ == "__main__":
    main()
