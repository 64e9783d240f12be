"""The command line: `gaugemc [KEY=VALUE ...]`, `gaugemc resume DIR`, `gaugemc report DIR`."""

import dataclasses
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import hydra
import jax
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from gaugemc.conf import register
from gaugemc.conf.composition import composed, jobs, settings_of
from gaugemc.conf.errors import one_line
from gaugemc.conf.help import USAGE
from gaugemc.experiment.build import build_theory
from gaugemc.experiment.experiment import run
from gaugemc.experiment.notation import format_error
from gaugemc.experiment.report import write_report
from gaugemc.experiment.run_directory import RunDirectory, RunDirectoryError
from gaugemc.experiment.settings import Settings, SettingsError
from gaugemc.experiment.train_phase import load_model
from gaugemc.experiment.trainee import build_trainee
from gaugemc.experiment.uses import is_trained, notice, unused
from gaugemc.experiment.validation import validate
from gaugemc.io.checkpoint import CheckpointError
from gaugemc.training import TrainingDivergedError

FAILED, BAD_INPUT, INEXACT, INTERRUPTED = 1, 2, 3, 130
"""Exit codes."""


def main() -> NoReturn:
    """The program `gaugemc`; exits with 0, or one of the codes above."""
    arguments = sys.argv[1:]
    verb = arguments[0] if arguments else ""
    if verb in ("resume", "report") and len(arguments) != 2:
        fail(f"{verb} needs one run directory\n{USAGE}", BAD_INPUT)
    prepare_jax()
    if verb == "resume":
        sys.exit(guarded(lambda: resume(Path(arguments[1]))))
    if verb == "report":
        sys.exit(guarded(lambda: report(Path(arguments[1]))))
    sys.exit(guarded(configured))


def prepare_jax() -> None:
    """float64 sums, and compiled programs kept on disk for the next start."""
    jax.config.update("jax_enable_x64", True)
    if jax.config.values["jax_compilation_cache_dir"] is None:
        cache = cache_directory()
        jax.config.update("jax_compilation_cache_dir", cache and str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def cache_directory() -> Path | None:
    """Where compiled programs are kept; None where the user has no place that can be written."""
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME", ""))
        path = (base if base.is_absolute() else Path.home() / ".cache") / "gaugemc"
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # a read-only disk; a user without a home
        return None
    return path if os.access(path, os.W_OK | os.X_OK) else None


class Preparation(Callback):
    """Refuses what cannot run before Hydra makes a directory for it."""

    def on_run_start(self, config: Any, **_: Any) -> None:
        HydraConfig.instance().set_config(config)
        guarded(lambda: prepare(rooted(settings_of(config)), config.hydra.run.dir))

    def on_multirun_start(self, config: Any, **_: Any) -> None:
        HydraConfig.instance().set_config(config)
        guarded(lambda: check_jobs(config))


def prepare(settings: Settings, path: str) -> int:
    """Raise one of the errors that `guarded` knows, or make the run directory."""
    check(settings)
    if not path.strip():
        raise SettingsError("hydra.run.dir", path, "must not be empty")
    RunDirectory(path).create(settings)
    return 0


def check(settings: Settings) -> None:
    """Raise one of the errors that `guarded` knows unless these settings can run."""
    validate(settings)
    for key, load in (("flow.load", settings.flow.load), ("dynamics.load", settings.dynamics.load)):
        try:
            if load is not None:
                RunDirectory(load).settings()
        except RunDirectoryError as error:
            raise SettingsError(key, load, str(error)) from error
    if is_trained(settings):
        trainee = build_trainee(settings, build_theory(settings))
        if trainee.load is not None:
            load_model(trainee)


def check_jobs(config: Any) -> int:
    """Refuse a sweep with the first of its jobs that cannot run, before any of them does."""
    if not config.hydra.sweeper._target_.endswith(".BasicSweeper"):
        return 0  # whose jobs follow from one another
    sweep = jobs(list(config.hydra.overrides.task))
    for number, overrides in enumerate(sweep):
        try:
            check(rooted(composed(overrides)))
        except (SettingsError, HydraException, OmegaConfBaseException) as error:
            problem = str(error) if isinstance(error, SettingsError) else one_line(error)
            job = " ".join(text for text in overrides if any(text not in o for o in sweep))
            where = f"job {number} of {len(sweep)}, {job}: " if job else ""
            fail(f"{where}{problem}; no job was started", BAD_INPUT)
    return 0


def rooted(settings: Settings) -> Settings:
    """The settings with paths from the directory where the command was given (hydra.job.chdir)."""
    cwd = HydraConfig.get().runtime.cwd

    def found(load: str | None) -> str | None:
        return os.path.join(cwd, load) if load else load

    return dataclasses.replace(
        settings,
        flow=dataclasses.replace(settings.flow, load=found(settings.flow.load)),
        dynamics=dataclasses.replace(settings.dynamics, load=found(settings.dynamics.load)),
    )


def guarded(task: Callable[[], int]) -> int:
    """Run a task; what a user can mend becomes one line and an exit code."""
    try:
        return task()
    except (HydraException, OmegaConfBaseException) as error:
        fail(one_line(error), BAD_INPUT)
    except (SettingsError, RunDirectoryError, CheckpointError, FileNotFoundError) as error:
        fail(str(error), BAD_INPUT)
    except KeyboardInterrupt:
        fail("interrupted", INTERRUPTED)
    except (TrainingDivergedError, OSError) as error:
        fail(str(error), FAILED)


def configured() -> int:
    """The Hydra application: one run, or with --multirun several."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions reach `guarded`
    register()
    codes: list[int] = []

    def one_run(config: Any) -> int:
        settings, path = (
            rooted(settings_of(config)),
            Path(HydraConfig.get().runtime.output_dir),
        )
        validate(settings)
        print(f"run directory: {path}", file=sys.stderr)
        say_unused(settings, path)
        return run_and_show(settings, path)

    def job(config: Any) -> None:
        try:
            codes.append(guarded(lambda: one_run(config)))
        except SystemExit as end:  # Hydra would add lines of its own
            codes.append(int(end.code or 0))

    hydra.main(version_base="1.3", config_path=None, config_name="command")(job)()
    return max(codes, default=0)


def say_unused(settings: Settings, path: Path) -> None:
    """A line, also for log.txt, about words of the command line that change nothing."""
    given = (word.lstrip("+").split("=")[0] for word in HydraConfig.get().overrides.task)
    found = unused(settings, given)
    if found:
        line = f"unused: {notice(found)}"
        print(f"gaugemc: {line}", file=sys.stderr)
        RunDirectory(path).note(line)


def resume(path: Path) -> int:
    """Go on with the run in a directory."""
    return run_and_show(RunDirectory(path).settings(), path)


def report(path: Path) -> int:
    """Draw a run's report again."""
    try:
        print(write_report(path))
    except ValueError as error:
        fail(str(error), BAD_INPUT)
    return 0


def run_and_show(settings: Settings, path: Path) -> int:
    """Run, show the numbers, and return the exit code."""
    console = Console(stderr=True)
    try:
        numbers = run(settings, path, console)
    except KeyboardInterrupt:
        command = f"gaugemc resume {shlex.quote(str(path))}"
        fail(f"interrupted; go on with: {command}", INTERRUPTED)
    show(numbers, console)
    print(path / "report.html")
    inexact = [name for name, check in numbers["checks"].items() if not check["passed"]]
    if inexact:
        console.print(
            Panel(f"exactness checks FAILED: {', '.join(inexact)}", style="bold white on red")
        )
    return INEXACT if inexact and settings.strict else 0


def show(numbers: dict[str, Any], console: Console) -> None:
    """A table of the observables, and the verdict."""
    table = Table("observable", "sampler", "mean", "exact", "z", "tau_int (draws)")
    sections = {numbers["sampler"]["name"]: numbers["evaluate"], "tuned hmc": numbers["hmc"]}
    for name in numbers["evaluate"]["observables"]:
        for sampler, section in sections.items():
            if section is None:
                continue
            o = section["observables"][name]
            bound = ">= " if o["lower_bound"] else ""
            table.add_row(
                name,
                sampler,
                format_error(o["mean"], o["error"]),
                "" if o["exact"] is None else f"{o['exact']:.5f}",
                "" if o["z"] is None else f"{o['z']:+.1f}",
                bound + format_error(o["tau_int"], o["tau_int_error"]),
            )
    console.print(table)
    console.print(numbers["verdict"], style="bold", highlight=False)


def fail(message: str, code: int) -> NoReturn:
    """Say what is wrong on stderr and exit."""
    print(f"gaugemc: {message}", file=sys.stderr)
    sys.exit(code)
