"""The directory that holds all of a run, and from which it resumes."""

import dataclasses
import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from itertools import count
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gaugemc.choices import schema
from gaugemc.choices.settings import Settings
from gaugemc.choices.uses import flat, tree, used
from gaugemc.io.atomic import remove_leftovers, write_atomically
from gaugemc.io.checkpoint import CheckpointError, latest_checkpoint
from gaugemc.io.lock import Lock, LockedError, locked
from gaugemc.run.extension import DRAWS, FREE, check_draws, with_overrides
from gaugemc.run.software import comments, resumed_with, split, with_changes

ANOTHER = "choose another hydra.run.dir (of a sweep: hydra.sweep.dir)"


class RunDirectoryError(ValueError):
    """A directory is not a run, or cannot become one; one line says why."""


class RunDirectory:
    """Paths of a run. Everything is written atomically, so a kill leaves old or new, never half."""

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self._lock: Lock | None = None

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def begun(self) -> Path:
        """The settings that made the checkpoints, whatever was edited in config.yaml since."""
        return self.checkpoints / "settings.yaml"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def chains(self) -> Path:
        return self.path / "chains"

    @property
    def start(self) -> Path:
        return self.path / "start.h5"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Be the one process that writes here; makes the directory where there is none.

        What killed writers left behind is removed.

        Raises:
            RunDirectoryError: another process works here, or the directory cannot be written.
        """
        with ExitStack() as stack:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                self._lock = stack.enter_context(locked(self.path))
                if self.config.is_file():
                    for directory in (self.path, *self.path.glob("*/")):
                        remove_leftovers(directory, "*")
            except OSError as error:
                raise self._unwritable(error) from error
            except LockedError as error:
                raise RunDirectoryError(str(error)) from error
            stack.callback(self._disown)
            yield

    def _disown(self) -> None:
        self._lock = None

    def _unwritable(self, error: OSError) -> RunDirectoryError:
        reason = (error.strerror or str(error)).removeprefix("cannot write: ")
        return RunDirectoryError(f"{self.path}: cannot be written: {reason}; {ANOTHER}")

    def confirm(self) -> None:
        """Raise RunDirectoryError unless what this process made may still be written here."""
        if self._lock is None:
            raise RunDirectoryError(f"{self.path}: only its owner writes here: `with owned():`")
        try:
            self._lock.confirm()
        except LockedError as error:
            raise RunDirectoryError(str(error)) from error

    def create(self, settings: Settings, *, extend: bool = False) -> None:
        """Write config.yaml; a run of the same settings stays as it is.

        With `extend`, the run may get another number of draws: those that it has done, or more.

        Raises:
            RunDirectoryError: the directory cannot be written, or holds a run of other settings.
            SettingsError: more draws are done than wanted.
            CheckpointError: the draws that are done cannot be read.
        """
        try:
            for directory in (self.checkpoints, self.chains):
                directory.mkdir(parents=True, exist_ok=True)
            if not self.begun.is_file():
                first = self.settings() if self.config.is_file() else settings
                self.write(self.begun, as_yaml(first))
            if not self.config.is_file():
                self.write(self.config, self.begun.read_text(encoding="utf-8"))
        except OSError as error:
            raise self._unwritable(error) from error
        stored, wanted = flat(settings_in(self.begun)), used(settings)
        changed = [k for k in wanted if stored.get(k) != wanted[k] and k not in FREE]
        for key in changed:
            if not (extend and key in DRAWS):
                more = f", or gaugemc resume {shlex.quote(str(self.path))} {key}={wanted[key]}"
                raise RunDirectoryError(
                    f"{key}={wanted[key]}: {self.path} holds a run with {key}={stored.get(key)};"
                    f" {ANOTHER}{more if key in DRAWS else ''}"
                )
            self._check_phases()
            check_draws(key, settings, self.checkpoints, self.summary)
        if changed:  # before the draws are made: after a kill, `resume` goes on to the new number
            kept = {key: stored[key] for key in FREE}
            text = as_yaml(dataclasses.replace(settings, **kept))
            self.write(self.config, split(self.config.read_text(encoding="utf-8"))[0] + text)
            self.write(self.begun, text)
            self.note("; ".join(f"{key}: {stored[key]} -> {wanted[key]}" for key in changed))

    def record_software(self) -> str | None:
        """Write into config.yaml what software makes the run; where the run goes on with other
        software, note that there and in log.txt, and return the note."""
        config = self.config.read_text(encoding="utf-8")
        if not split(config)[0]:
            self.write(self.config, comments() + config)
            return None
        config, changes = with_changes(config)
        if changes is None:
            return None
        self.write(self.config, config)
        line = f"goes on with other software, so draws may differ in their last bits: {changes}"
        self.note(line)
        return line

    def resumed_with(self) -> list[dict[str, str]]:
        """For each time the run went on with other software: the date, and what was another."""
        return resumed_with(self.config.read_text(encoding="utf-8"))

    def _check_phases(self) -> None:
        """Raise CheckpointError if a phase has checkpoints, and all of them are damaged."""
        for phase in {path.name.rpartition("-")[0] for path in self.checkpoints.glob("*-*.ckpt")}:
            self.newest(phase)

    def settings(self) -> Settings:
        """The settings of an existing run.

        Raises:
            RunDirectoryError: there is no run here, or its config.yaml cannot be read.
        """
        if not self.config.is_file():
            raise RunDirectoryError(f"{self.path} is not a run: it has no config.yaml")
        return settings_in(self.config)

    def resumed(self, overrides: Sequence[str]) -> Settings:
        """The settings of the run, in which some KEY=VALUE are changed.

        Raises:
            RunDirectoryError: as `settings`.
            SettingsError: as `with_overrides`.
        """
        return with_overrides(self.settings(), overrides, self.path)

    def write(self, path: Path, text: str) -> None:
        """Write a text file, atomically."""
        self.confirm()
        with write_atomically(path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def newest(self, phase: str) -> Path | None:
        """The newest valid checkpoint of a phase; damaged newer ones are noted in log.txt.

        Raises:
            CheckpointError: all are damaged.
        """
        skipped: list[str] = []
        checkpoint = latest_checkpoint(self.checkpoints, phase, skipped.append)
        if skipped and checkpoint is None:
            damaged = "; ".join(line.removeprefix("skipped ") for line in skipped)
            them = "it" if len(skipped) == 1 else "them"
            raise CheckpointError(
                f"no valid checkpoint of {phase}: {damaged}; remove {them} to start {phase} anew"
            )
        for line in skipped:
            self.note(line)
        return checkpoint

    def note(self, message: str) -> None:
        """Add a line to log.txt."""
        line = f"{datetime.now().isoformat(timespec='seconds')} {message}\n"
        try:
            with self.log.open("a", encoding="utf-8") as log:
                log.write(line)
        except OSError as error:
            raise OSError(error.errno, f"cannot write: {error.strerror}", str(self.log)) from error


def as_yaml(settings: Settings) -> str:
    """The settings that are used, and no others."""
    return OmegaConf.to_yaml(OmegaConf.create(tree(settings)))


def settings_in(path: Path) -> Settings:
    """What `as_yaml` wrote.

    Raises:
        RunDirectoryError: the file cannot be read, or holds something else.
    """
    try:
        stored = OmegaConf.to_container(OmegaConf.load(path))
        if not isinstance(stored, dict) or not stored:
            raise ValueError("it holds no settings")
        return schema.settings_of({str(key): value for key, value in stored.items()})
    except (OmegaConfBaseException, YAMLError, ValueError, OSError) as error:
        reason = " ".join(str(error).split("\n    ")[0].split())
        raise RunDirectoryError(f"{path} cannot be read: {reason}") from error


def claimed(path: Path) -> Path:
    """Make a new directory: `path`, or where that is taken path-1, path-2, ...

    No other process gets the same one, however many ask at once.

    Raises:
        RunDirectoryError: the directory cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for number in count():
            mine = path.with_name(f"{path.name}-{number}") if number else path
            with suppress(FileExistsError):
                mine.mkdir()
                return mine
    except OSError as error:
        raise RunDirectoryError(f"{path}: cannot be made: {error.strerror or error}") from error
    raise AssertionError
