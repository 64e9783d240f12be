"""The directory that holds all of a run, and from which it resumes."""

import platform
import subprocess
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

import gaugemc
from gaugemc.experiment.settings import Settings, flat
from gaugemc.io.atomic import write_atomically
from gaugemc.io.checkpoint import CheckpointError, latest_checkpoint

_FREE = ("progress", "strict")  # these may change when a run is continued


class RunDirectoryError(ValueError):
    """A directory is not a run, or cannot become one; one line says why."""


class RunDirectory:
    """Paths of a run. Everything is written atomically, so a kill leaves old or new, never half."""

    def __init__(self, path: Path | str):
        self.path = Path(path)

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

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
    def log(self) -> Path:
        return self.path / "log.txt"

    def create(self, settings: Settings) -> None:
        """Make the directories and write config.yaml; a run of the same settings stays as it is.

        Raises:
            RunDirectoryError: the directory cannot be written, or holds a run of other settings.
        """
        try:
            for directory in (self.checkpoints, self.chains):
                directory.mkdir(parents=True, exist_ok=True)
            if not self.config.is_file():
                made_by = "".join(f"# {name}: {value}\n" for name, value in software().items())
                self.write(self.config, made_by + OmegaConf.to_yaml(OmegaConf.structured(settings)))
        except OSError as error:
            raise RunDirectoryError(
                f"hydra.run.dir={self.path}: cannot be written: {error.strerror or error}"
            ) from error
        stored, wanted = flat(self.settings()), flat(settings)
        for key in wanted:
            if stored[key] != wanted[key] and key not in _FREE:
                raise RunDirectoryError(
                    f"{key}={wanted[key]}: {self.path} holds a run with {key}={stored[key]};"
                    " choose another hydra.run.dir"
                )

    def settings(self) -> Settings:
        """The settings of an existing run.

        Raises:
            RunDirectoryError: there is no run here, or its config.yaml cannot be read.
        """
        if not self.config.is_file():
            raise RunDirectoryError(f"{self.path} is not a run: it has no config.yaml")
        try:
            stored = OmegaConf.load(self.config)
            merged = OmegaConf.merge(OmegaConf.structured(Settings), stored)
            settings = OmegaConf.to_object(merged)
        except (OmegaConfBaseException, ValueError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise RunDirectoryError(f"{self.config} cannot be read: {reason}") from error
        assert isinstance(settings, Settings)
        return settings

    def write(self, path: Path, text: str) -> None:
        """Write a text file, atomically."""
        with write_atomically(path) as temporary:
            temporary.write_text(text)

    def newest(self, phase: str) -> Path | None:
        """The newest valid checkpoint of a phase; damaged newer ones are noted in log.txt.

        Raises:
            CheckpointError: all are damaged.
        """
        skipped: list[str] = []
        checkpoint = latest_checkpoint(self.checkpoints, phase, skipped.append)
        if skipped and checkpoint is None:
            raise CheckpointError(
                f"no valid checkpoint of {phase}: {skipped[0]}; remove it to start {phase} anew"
            )
        for line in skipped:
            self.note(line)
        return checkpoint

    def note(self, message: str) -> None:
        """Add a line to log.txt."""
        with self.log.open("a") as log:
            log.write(f"{datetime.now().isoformat(timespec='seconds')} {message}\n")


def software() -> dict[str, Any]:
    """Versions, commit and machine: what a number needs beside it."""
    commit = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
    )
    packages = ("jax", "jaxlib", "equinox", "optax", "numpy", "pyerrors", "h5py")
    return {
        "gaugemc": gaugemc.__version__,
        "git_commit": commit.stdout.strip() or None,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
        "machine": f"{platform.machine()}, {jax.devices()[0].device_kind}",
        "date": datetime.now().isoformat(timespec="seconds"),
    }
