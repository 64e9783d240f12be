"""Trained models that come with the package: `flow.load=gaugemc:NAME`."""

from pathlib import Path

from gaugemc.run.run_directory import RunDirectory, RunDirectoryError

PREFIX = "gaugemc:"
FOLDER = Path(__file__).parent.parent / "shipped"
"""A directory for each, with the settings of the run that trained it and the best checkpoint."""


def is_shipped(load: str) -> bool:
    """Whether a setting names a model of the package, and no path."""
    return load.startswith(PREFIX)


def shipped() -> list[str]:
    """The models of the package, as a setting names them."""
    return sorted(f"{PREFIX}{path.parent.name}" for path in FOLDER.glob("*/config.yaml"))


def trained_run(load: str) -> RunDirectory:
    """The run that a setting names, by its path or as a model of the package.

    Raises:
        RunDirectoryError: the package has no such model.
    """
    if not is_shipped(load):
        return RunDirectory(load)
    if load not in shipped():
        raise RunDirectoryError(f"the package has no such model: choose {', '.join(shipped())}")
    return RunDirectory(FOLDER / load.removeprefix(PREFIX))
