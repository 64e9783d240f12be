"""A run from end to end: train, evaluate, tuned HMC, compare, check, report."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from gaugemc.checks import of_chains, of_maps
from gaugemc.checks.outcome import of_baseline
from gaugemc.choices.build import build_sampler, build_theory, in_float64
from gaugemc.choices.choice import Track
from gaugemc.choices.measuring import judged
from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.choices.traits import has_jumps
from gaugemc.choices.uses import tree, unused
from gaugemc.choices.validation import validate
from gaugemc.exact.solved import exact_observables
from gaugemc.report.report import write_report
from gaugemc.run import summary
from gaugemc.run.baselines import run_baselines
from gaugemc.run.burn_in import run_burn_in
from gaugemc.run.chain_phase import run_chains
from gaugemc.run.configurations import kept_start
from gaugemc.run.phase_start import Phase
from gaugemc.run.processes import agreed, copied, devices_of
from gaugemc.run.run_directory import RunDirectory
from gaugemc.run.software import software
from gaugemc.run.timing import time_draws
from gaugemc.run.tracking import tracked
from gaugemc.run.train_phase import run_training
from gaugemc.run.trainee import build_trainee
from gaugemc.training.engine import JAX, Engine, jax_on


def run(
    settings: Settings,
    path: Path | str,
    console: Console | None = None,
    *,
    extend: bool = False,
    engine: Engine = JAX,
) -> dict[str, Any]:
    """Do everything that is not yet done in the run directory `path`; returns the summary.

    Call it again on the same directory with the same settings to go on after an interruption:
    the draws and the parameters are bit for bit those of an uninterrupted run. With `extend` the
    settings may ask for more draws than those of the run: its draws are kept, and more are made.
    The `engine` trains; `gaugemc.interop.engine_of(settings)` is that of settings.framework.

    Raises:
        SettingsError: a setting cannot be used.
        RunDirectoryError: the directory cannot be written, or another process works there.
        CheckpointError: a checkpoint does not fit these settings.
        ConfigurationError: chains cannot start from the file `evaluate.start`.
        TrainingDivergedError: training diverged.
    """
    console = console or Console(stderr=True, quiet=not settings.progress)
    validate(settings)
    devices = devices_of(settings)
    if settings.sampler.trains and engine.framework != settings.framework:
        problem = f"call run with engine=engine_of(settings), not that of {engine.framework}"
        raise SettingsError("framework", settings.framework, problem)
    if engine is JAX:
        engine = jax_on(devices)
    directory = RunDirectory(path)
    with directory.owned():
        directory.create(settings, extend=extend)
        directory.note(f"start: {settings.sampler.name} on {settings.theory.name}")
        if len(devices) > 1:
            directory.note(f"{len(devices)} devices of {jax.process_count()} processes")
        if settings.devices.parts > 1:
            directory.note(
                f"lattices in {settings.devices.parts} parts: compiled kernels see no neighbours"
                " across a cut, so XLA's code runs"
            )
        changes = directory.record_software()
        if changes is not None:
            console.print(changes, style="yellow", highlight=False, soft_wrap=True)
        copied(directory.path)
        with ExitStack() as trackers:

            def tracking(first_step: int) -> Track:
                return trackers.enter_context(tracked(settings, directory, first_step))

            try:
                return finish(settings, directory, console, engine, tracking)
            except KeyboardInterrupt:
                with suppress(OSError):
                    directory.note("interrupted")
                raise


def finish(
    settings: Settings,
    directory: RunDirectory,
    console: Console,
    engine: Engine,
    tracking: Callable[[int], Track],
) -> dict[str, Any]:
    """Do what is not yet done in a directory that is owned; returns the summary."""
    train_key, evaluate_key, hmc_key, timing_key, check_key, burn_in_key = jax.random.split(
        jax.random.key(settings.seed), 6
    )
    theory = build_theory(settings)
    start = kept_start(settings, directory, theory)
    exact = exact_observables(theory)

    trained = model = None
    if settings.sampler.trains:
        trainee = build_trainee(settings)
        if trainee.load is not None:
            line = f"training starts from what {trainee.load} trained"
            console.print(line, soft_wrap=True, markup=False)  # a path may have brackets
        trained = run_training(trainee, directory, train_key, engine, tracking)
        model = agreed(trainee.carried(trained.model, theory.space))
    e = settings.evaluate
    sampler = build_sampler(settings, theory, model)
    evaluate = run_chains(
        settings,
        directory,
        Phase(
            "evaluate",
            sampler,
            e.draws,
            e.warmup,
            settings.sampler.tuned,
            # Steps that are trained near equilibrium may never be accepted at a hot start.
            settled_by=None if has_jumps(settings) else settings.sampler.hmc(theory),
        ),
        start,
        evaluate_key,
    )
    baselines = run_baselines(settings, directory, theory, start, hmc_key)
    measured = [evaluate, *baselines]
    burned_in = [
        run_burn_in(settings, directory, chains, jax.random.fold_in(burn_in_key, index))
        for index, chains in enumerate(measured)
    ]
    with console.status("timing, analysis and exactness checks"):
        timing = time_draws(measured, timing_key, e.timing_rounds)
        if jax.process_index() > 0:
            return {}  # process 0 alone has the run's directory
        analysed = [summary.estimates(chains) for chains in measured]
        results = [
            summary.result(chains, estimates, exact, seconds, burned)
            for chains, estimates, seconds, burned in zip(
                measured, analysed, timing.seconds, burned_in
            )
        ]
        compared = summary.comparisons(measured, analysed, timing) if baselines else None
        precise = in_float64(settings, evaluate.sampler, model)
        checks = of_maps(*precise, check_key)
        names = [lambda name: name, *(partial(of_baseline, chains.name) for chains in baselines)]
        for called, chains, estimates in zip(names, measured, analysed):
            found = of_chains(chains.sampler, chains.draws, estimates, exact, theory.leading)
            checks |= {called(name): check for name, check in found.items()}
    found = {chains.name: result for chains, result in zip(baselines, results[1:])}
    checked = {name: check.as_dict() for name, check in checks.items()}
    numbers = {
        "theory": summary.theory_section(settings, theory),
        "sampler": {
            "name": settings.sampler.name,
            "parameters": tree(settings),
            "unused": list(unused(settings)),
        },
        "training": trained and trained.numbers,
        "evaluate": results[0],
        "hmc": found.pop("hmc", None),
        "baselines": found,
        "comparison": None if compared is None else summary.comparison_section(compared, baselines),
        "checks": checked,
        "charge_distribution": summary.charge_section(theory),
        "software": {**software(), "resumed_with": directory.resumed_with()},
        "verdict": summary.verdict(
            settings, compared, results[0], checked, judged(settings, theory)
        ),
    }
    directory.write(directory.summary, summary.to_json(numbers))
    write_report(directory.path)
    directory.note(numbers["verdict"])
    return numbers
