"""Runs of the program: how good multiscale flows get, and what they gain over tuned HMC.

Each rung is `gaugemc` itself with its default settings for the flow, so whatever is measured here
a user gets. Numbers come from the summary.json of the runs.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from measure import Row

Summary = dict[str, Any]


def run(directory: Path, *settings: str) -> Summary:
    """Run the program, or read what an earlier start of the benchmark left in the directory."""
    summary = directory / "summary.json"
    if not summary.is_file():
        command = [sys.executable, "-m", "gaugemc", *settings, f"hydra.run.dir={directory}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads(summary.read_text())


def flow_run(directory: Path, extent: int, beta: float, *more: str, baseline: int = 0) -> Summary:
    """Train a multiscale flow, sample with independence Metropolis, and perhaps run tuned HMC."""
    return run(
        directory,
        *("flow=multiscale", "sampler=flow", f"theory.lattice=[{extent},{extent}]"),
        *(f"theory.beta={beta:g}", "training.quality_every=1000000"),
        *("evaluate.draws=2000", f"evaluate.hmc_draws={baseline}", "evaluate.hmc_warmup=1000"),
        *("evaluate.most_steps=20", "chains=64" if extent < 64 else "chains=16", *more),
    )


def training_rows(summary: Summary, what: str, targets: tuple[str | None, str | None]) -> list[Row]:
    training = summary["training"]
    return [
        Row(f"{what}: seconds of training", training["seconds"], target=targets[0]),
        Row(f"{what}: ESS of 4096", training["ess"], target=targets[1]),
        Row(f"{what}: D_KL", training["kl"]),
    ]


def gain(summary: Summary, what: str, target: str | None) -> Row:
    """Independent charges per second over those of tuned HMC in the same run."""
    compared = summary["comparison"]["charge"]
    ratio, error = compared["ess_per_second_ratio"], compared["error"]
    what = f"{what}: independent charges per second over tuned HMC's"
    return Row(what, ratio, error, target, bound=compared["lower_bound"])


def first_rung(directory: Path) -> list[Row]:
    """8x8 at beta 6, with FT-HMC: the demo."""
    summary = run(directory / "demo", "mode=demo")
    what = "multiscale flow, 8×8, β = 6"
    return [
        *training_rows(summary, what, ("<= 60", ">= 0.98")),
        gain(summary, f"{what}, FT-HMC", None),
    ]


def upper_rungs(directory: Path) -> list[Row]:
    """16x16 against tuned HMC, carried on to 32x32 and 64x64, at beta 6 and 7."""
    rival = ("sampler=winding", "theory.beta=6", "evaluate.draws=10000")
    rows = [gain(run(directory / "winding", *rival), "HMC and instantons, 8×8, β = 6", None)]
    for beta in (6.0, 7.0):
        start = directory / f"16-{beta:g}"
        what = f"multiscale flow, 16×16, β = {beta:g}"
        first = beta == 6
        summary = flow_run(start, 16, beta, baseline=10000)
        rows += training_rows(summary, what, ("<= 120", ">= 0.95") if first else (None, None))
        rows.append(gain(summary, f"{what}, independence", ">= 300" if first else None))
        for extent in (32, 64):
            load = (f"flow.load={start}", "training.steps=0")
            carried = flow_run(directory / f"{extent}-{beta:g}-carried", extent, beta, *load)
            what = f"carried from 16×16 to {extent}×{extent}, β = {beta:g}, untrained there"
            rows.append(Row(f"{what}: ESS of 4096", carried["training"]["ess"]))
        what = f"multiscale flow, 64×64, β = {beta:g}"
        baseline = 0 if first else 20000
        summary = flow_run(directory / f"64-{beta:g}", 64, beta, baseline=baseline)
        rows += training_rows(summary, what, ("<= 300", ">= 0.5"))
        if baseline:
            rows.append(gain(summary, f"{what}, independence", ">= 3000"))
        identity = ("flow.start=identity", "training.learning_rate=0.1", "training.steps=2000")
        learned = flow_run(directory / f"16-{beta:g}-identity", 16, beta, *identity)
        what = f"multiscale flow, 16×16, β = {beta:g}, from the identity"
        rows += training_rows(learned, what, (None, None))
    return rows
