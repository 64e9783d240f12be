"""Before a run: what cannot run is refused, and the run gets a directory of its own."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from gaugemc import interrupt
from gaugemc.choices.build import build_theory
from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.choices.sweep import differing, jobs
from gaugemc.choices.traits import trained
from gaugemc.choices.validation import validate
from gaugemc.conf.composition import composed, settings_of
from gaugemc.conf.ending import fail, go_on_with, unfailing
from gaugemc.conf.errors import BAD_INPUT, one_line
from gaugemc.conf.groups import RUN_DIR, SWEEP_DIR
from gaugemc.io.configuration import ConfigurationError
from gaugemc.report.scan_report import write_scan_report
from gaugemc.run.configurations import read_start
from gaugemc.run.processes import devices_of
from gaugemc.run.run_directory import RunDirectory, RunDirectoryError, claimed
from gaugemc.run.sharing import SCAN
from gaugemc.run.shipped import is_shipped, trained_run
from gaugemc.run.train_phase import load_model
from gaugemc.run.trainee import build_trainee


class Preparation(Callback):
    """Refuses what cannot run before Hydra makes a directory for it, and makes the directory."""

    def on_run_start(self, config: Any, **_: Any) -> None:
        HydraConfig.instance().set_config(config)

        def start() -> int:
            settings = rooted(settings_of(config))
            check(settings)
            devices_of(settings)
            refuse_directory("run", config.hydra.run.dir)
            with interrupt.postponed():
                place(config.hydra.run, "dir", RUN_DIR)
                directory = RunDirectory(config.hydra.run.dir)
                with directory.owned():
                    directory.create(settings)
                interrupt.advise(go_on_with(directory.path))
            return 0

        unfailing(start)

    def on_multirun_start(self, config: Any, **_: Any) -> None:
        HydraConfig.instance().set_config(config)

        def start() -> int:
            check_jobs(config)
            refuse_directory("sweep", config.hydra.sweep.dir)
            place(config.hydra.sweep, "dir", SWEEP_DIR)
            # The jobs are composed anew, maybe in other processes and seconds.
            sweep = str(config.hydra.sweep.dir).replace("\\", "\\\\").replace("'", "\\'")
            with read_write(config.hydra.overrides), open_dict(config.hydra.overrides):
                config.hydra.overrides.hydra.append(f"hydra.sweep.dir='{sweep}'")
            return 0

        unfailing(start)

    def on_multirun_end(self, config: Any, **_: Any) -> None:
        """The jobs have pages of their own; here is the one of all."""
        with contextlib.suppress(FileNotFoundError):  # no job got as far as its directory
            print(write_scan_report(Path(config.hydra.sweep.dir).absolute()))


def refuse_directory(kind: str, path: Any) -> None:
    """Raise SettingsError for the directory of a run, or of a sweep, that cannot be one."""
    text = str(path)
    if not text.strip() or "\n" in text:
        raise SettingsError(f"hydra.{kind}.dir", path, "must be a name, in one line")
    other, holds = {"run": (SCAN, "a sweep"), "sweep": ("config.yaml", "a run")}[kind]
    if (Path(text) / other).is_file():
        raise SettingsError(f"hydra.{kind}.dir", path, f"holds {holds}: choose another directory")


def place(section: Any, key: str, default: str) -> None:
    """Where nobody chose a directory, make one that no other process has, and put it there."""
    if OmegaConf.to_container(section, resolve=False)[key] == default:  # pyright: ignore
        path = claimed(Path(section[key]))
        with read_write(section):
            section[key] = str(path)


def check(settings: Settings) -> None:
    """Raise one of the errors that `guarded` knows unless these settings can run."""
    validate(settings)
    for kind in ("flow", "dynamics"):
        load = getattr(settings, kind).load
        try:
            if load is not None:
                trained_run(load, kind).settings()
        except RunDirectoryError as error:
            raise SettingsError(f"{kind}.load", load, str(error)) from error
    start = settings.evaluate.start
    try:
        if start is not None:
            read_start(start, build_theory(settings))
    except ConfigurationError as error:
        raise SettingsError("evaluate.start", start, str(error)) from error
    except OSError as error:
        raise SettingsError("evaluate.start", start, error.strerror or str(error)) from error
    if trained(settings):
        trainee = build_trainee(settings)
        if trainee.load is not None:
            load_model(trainee)


def check_jobs(config: Any) -> int:
    """Refuse a sweep with the first of its jobs that cannot run, before any of them does."""
    if not config.hydra.sweeper._target_.endswith(".BasicSweeper"):
        return 0  # whose jobs follow from one another
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    sweep = jobs([*params, *config.hydra.overrides.task])
    for number, overrides in enumerate(sweep):
        with judged(sweep, number):
            check(rooted(composed(overrides)))
    return 0


@contextlib.contextmanager
def judged(sweep: Sequence[Sequence[str]], number: int) -> Iterator[None]:
    """Inside, what is wrong with one job of a sweep ends it all, in a line that names the job."""
    try:
        yield
    except (SettingsError, HydraException, OmegaConfBaseException) as error:
        problem = str(error) if isinstance(error, SettingsError) else one_line(error)
        job = differing(sweep)[number]
        where = f"job {number} of {len(sweep)}, {job}: " if job else ""
        fail(f"{where}{problem}; no job was started", BAD_INPUT)


def rooted(settings: Settings) -> Settings:
    """The settings with paths from the directory where the command was given (hydra.job.chdir)."""
    cwd = HydraConfig.get().runtime.cwd if HydraConfig.initialized() else os.getcwd()

    def found(path: str | None) -> str | None:
        return os.path.join(cwd, path) if path and not is_shipped(path) else path

    return dataclasses.replace(
        settings,
        flow=dataclasses.replace(settings.flow, load=found(settings.flow.load)),
        dynamics=dataclasses.replace(settings.dynamics, load=found(settings.dynamics.load)),
        evaluate=dataclasses.replace(settings.evaluate, start=found(settings.evaluate.start)),
    )
