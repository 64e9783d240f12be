"""Trained L2HMC against tuned HMC in two-dimensional U(1), per force, with several seeds.

    python benchmarks/l2hmc.py [--runs DIRECTORY] [--seeds SEED ...] [--betas BETA ...]

prints the table of docs/l2hmc.md. For each beta HMC is tuned and runs once, on 16x16, and L2HMC is
trained and runs once for each seed, with 8 leapfrogs a draw. All are runs of `gaugemc`. Numbers of
L2HMC are means of logarithms over the seeds; their error is that of the runs or of the spread of
the seeds, whichever is larger.
"""

import argparse
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from ladder import run
from measure import Row

from gaugemc.io.ensemble import read_draws
from gaugemc.report.seeds import geometric
from gaugemc.statistics.notation import format_error

BETAS = (2.0, 3.0, 4.0, 5.0, 6.0)
SEEDS = (1, 2, 3)

COMMON = ("theory.lattice=[16,16]", "evaluate.burn_in=0")
HMC = (
    *("sampler=hmc", "evaluate.tune_for=forces", "evaluate.tune_iterations=40"),
    "evaluate.most_steps=20",
)
L2HMC = (
    *("sampler=l2hmc", "dynamics.network=series", "dynamics.eps=0.25"),
    *("training.steps=800", "training.learning_rate=1e-2", "training.quality_every=1000000"),
    *("training.anneal_start=0.6", "training.anneal_fraction=0.4", "evaluate.hmc_draws=0"),
)

HEAD = (
    *(
        "β",
        "seeds",
        "acceptance",
        "⟨(ΔQ)²⟩ a force",
        "τ_int(Q) in forces",
        "tuned HMC: forces a draw",
    ),
    *("⟨(ΔQ)²⟩ a force", "τ_int(Q) in forces", "L2HMC/HMC: ⟨(ΔQ)²⟩ a force"),
    "1/τ_int a force",
)

Value = dict[str, float]
"""A positive number, `value`, and its `error`."""


class Found(NamedTuple):
    """What a run gave."""

    beta: float
    acceptance: float
    forces: float
    """Of a draw."""
    moved: Value
    """<(Delta Q)^2> of a draw, a force."""
    tau: Value
    """tau_int(Q), in forces."""
    bound: bool
    """Whether the chains are too short for tau_int, which is then a lower bound."""


def found(directory: Path, *settings: str) -> Found:
    """What a run of these settings gave; a finished one is read."""
    summary = run(directory, *COMMON, *settings)
    phase: dict[str, Any] = summary["evaluate"]
    forces = phase["force_evaluations"]
    charge = phase["observables"]["charge"]
    draws = read_draws(directory / "chains/evaluate.h5")[0].observables["charge"]
    chains = np.mean(np.diff(draws, axis=1) ** 2, axis=1)
    error = float(chains.std(ddof=1) / np.sqrt(len(chains)))
    return Found(
        summary["theory"]["beta"],
        phase["acceptance"],
        forces,
        {"value": float(chains.mean()) / forces, "error": error / forces},
        {"value": charge["tau_int"] * forces, "error": charge["tau_int_error"] * forces},
        charge["lower_bound"],
    )


class Rung(NamedTuple):
    """What L2HMC gave at a beta, seed by seed, and tuned HMC."""

    ours: list[Found]
    hmc: Found


def rungs(runs: Path, seeds: Sequence[int], betas: Sequence[float]) -> list[Rung]:
    """All runs. Chains are longer where the charge moves less."""
    found_at = []
    for beta in betas:
        at = f"theory.beta={beta:g}"
        hmc = found(runs / f"hmc-{beta:g}", *HMC, at, *chains(4000 if beta < 5 else 40000))
        length = chains(1500 if beta < 5 else 3000)
        ours = [
            found(runs / f"l2hmc-{beta:g}-{seed}", *L2HMC, at, *length, f"seed={seed}")
            for seed in seeds
        ]
        found_at.append(Rung(ours, hmc))
    return found_at


def chains(draws: int) -> tuple[str, str]:
    """Draws of chains after a warm-up that grows with them."""
    return f"evaluate.draws={draws}", f"evaluate.warmup={max(300, draws // 20)}"


def mean(values: Sequence[Value]) -> Value:
    """The mean of logarithms; NaN where one has no logarithm."""
    return geometric(values, "value", "error") or {"value": math.nan, "error": math.nan}


def ratio(a: Value, b: Value) -> Value:
    """a / b."""
    value = a["value"] / b["value"] if b["value"] else math.nan
    return {"value": value, "error": value * math.hypot(*(n["error"] / n["value"] for n in (a, b)))}


def charges(rung: Rung) -> Value:
    """Independent charges a force, over those of tuned HMC."""
    return ratio(rung.hmc.tau, mean([one.tau for one in rung.ours]))


def against_hmc(runs: Path) -> list[Row]:
    """Rows of the table of benchmarks."""
    rows = []
    for rung in rungs(runs, SEEDS, BETAS):
        if any(one.bound for one in rung.ours):  # its own chains are too short: no ratio is known
            continue
        what = f"L2HMC, 16×16, β = {rung.hmc.beta:g}, over tuned HMC: charges per force"
        gain = charges(rung)
        rows.append(Row(what, gain["value"], gain["error"], bound=rung.hmc.bound))
    return rows


def text(number: Value, bound: bool = False) -> str:
    """A number with its error, or as a bound."""
    return ("≥ " if bound else "") + format_error(number["value"], number["error"])


def cells(rung: Rung) -> list[str]:
    """A row of the table."""
    ours, hmc = rung
    moved, bound = mean([one.moved for one in ours]), any(one.bound for one in ours)
    return [
        f"{hmc.beta:g}",
        str(len(ours)),
        f"{fmean(one.acceptance for one in ours):.2f}",
        text(moved),
        text(mean([one.tau for one in ours]), bound),
        f"{hmc.forces:g}",
        text(hmc.moved),
        text(hmc.tau, hmc.bound),
        text(ratio(moved, hmc.moved)),
        "not known" if bound else text(charges(rung), hmc.bound),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, help="keep runs here; finished ones are read")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="of L2HMC")
    parser.add_argument("--betas", type=float, nargs="+", default=BETAS, help="rows of the table")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found_at = rungs(given.runs or Path(temporary), given.seeds, given.betas)
    print("| " + " | ".join(HEAD) + " |")
    print("|" + " --- |" * len(HEAD))
    for rung in found_at:
        print("| " + " | ".join(cells(rung)) + " |")


if __name__ == "__main__":
    main()
