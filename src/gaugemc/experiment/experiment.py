"""A run from end to end: train, evaluate, tuned HMC, compare, check, report."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from gaugemc.analysis.exact import exact_observables
from gaugemc.experiment import checks, summary
from gaugemc.experiment.build import (
    TRAINED,
    build_hmc,
    build_sampler,
    build_theory,
    in_float64,
)
from gaugemc.experiment.chain_phase import Phase, run_chains
from gaugemc.experiment.report import write_report
from gaugemc.experiment.run_directory import RunDirectory, software
from gaugemc.experiment.settings import Settings
from gaugemc.experiment.timing import time_draws
from gaugemc.experiment.train_phase import run_training
from gaugemc.experiment.trainee import build_trainee
from gaugemc.experiment.uses import unused
from gaugemc.experiment.validation import validate


def run(settings: Settings, path: Path | str, console: Console | None = None) -> dict[str, Any]:
    """Do everything that is not yet done in the run directory `path`; returns the summary.

    Call it again on the same directory with the same settings to go on after an interruption:
    the draws and the parameters are bit for bit those of an uninterrupted run.

    Raises:
        SettingsError: a setting cannot be used.
        RunDirectoryError: the directory cannot be written.
        CheckpointError: a checkpoint does not fit these settings.
        TrainingDivergedError: training diverged.
    """
    console = console or Console(stderr=True, quiet=not settings.progress)
    validate(settings)
    directory = RunDirectory(path)
    directory.create(settings)
    directory.note(f"start: {settings.sampler.name} on {settings.theory.name}")
    train_key, evaluate_key, hmc_key, timing_key, check_key = jax.random.split(
        jax.random.key(settings.seed), 5
    )
    theory = build_theory(settings)
    exact = exact_observables(theory)

    trained = None
    if settings.sampler.name in TRAINED:
        trainee = build_trainee(settings, theory)
        if trainee.load is not None:
            console.print(f"training starts from what {trainee.load} trained", soft_wrap=True)
        trained = run_training(trainee, directory, train_key)
    model = trained.model if trained else None
    e = settings.evaluate
    sampler = build_sampler(settings, theory, model)
    evaluate = run_chains(
        settings,
        directory,
        Phase("evaluate", sampler, e.draws, e.warmup, settings.sampler.tune),
        evaluate_key,
    )
    baseline = None
    if settings.sampler.name != "hmc" and e.hmc_draws > 0:
        hmc = build_hmc(settings, theory)
        baseline = run_chains(
            settings, directory, Phase("hmc", hmc, e.hmc_draws, e.hmc_warmup, True), hmc_key
        )
    measured = [evaluate] if baseline is None else [evaluate, baseline]
    with console.status("timing, analysis and exactness checks"):
        timing = time_draws(measured, timing_key, e.timing_rounds)
        analysed = [summary.estimates(chains) for chains in measured]
        results = [
            summary.result(chains, estimates, exact, seconds)
            for chains, estimates, seconds in zip(measured, analysed, timing.seconds)
        ]
        compared = (
            summary.comparisons(evaluate, analysed[0], baseline, analysed[1], timing)
            if baseline is not None
            else None
        )
        precise = in_float64(settings, evaluate.sampler, model)
        checked = checks.of_maps(*precise, check_key)
        for prefix, chains, estimates in zip(("", "hmc_"), measured, analysed):
            if checks.dynamics_of(chains.sampler) is not None:
                checked[f"{prefix}exp_minus_delta_h"] = checks.exp_minus_delta_h(chains)
            for name in exact:
                if name != "charge":  # zero by symmetry, however wrong the sampler
                    checked[f"{prefix}{name}"] = checks.against_exact(estimates[name], exact[name])
        checked = {name: check for name, check in checked.items() if check is not None}
    numbers = {
        "theory": summary.theory_section(settings, theory),
        "sampler": {
            "name": settings.sampler.name,
            "parameters": dataclasses.asdict(settings),
            "unused": list(unused(settings)),
        },
        "training": trained and trained.numbers,
        "evaluate": results[0],
        "hmc": results[1] if baseline is not None else None,
        "comparison": None
        if compared is None
        else {name: c._asdict() for name, c in compared.items()},
        "checks": checked,
        "charge_distribution": summary.charge_section(theory),
        "software": software(),
        "verdict": summary.verdict(settings, compared, results[0], checked, theory.leading),
    }
    directory.write(directory.summary, summary.to_json(numbers))
    write_report(directory.path)
    directory.note(numbers["verdict"])
    return numbers
