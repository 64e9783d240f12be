"""Trained models that come with the package: `flow.load` or `dynamics.load` is `gaugemc:NAME`."""

from pathlib import Path

from gaugemc.run.run_directory import RunDirectory, RunDirectoryError

PREFIX = "gaugemc:"
FOLDER = Path(__file__).parent.parent / "shipped"
"""A folder for each kind, `flow` and `dynamics`. In it each model has a directory, with the
settings of the run that trained it and the best checkpoint."""


def is_shipped(load: str) -> bool:
    """Whether a setting names a model of the package, and no path."""
    return load.startswith(PREFIX)


def shipped(kind: str) -> list[str]:
    """The models of the package of a kind, `flow` or `dynamics`, as a setting names them."""
    return sorted(f"{PREFIX}{path.parent.name}" for path in FOLDER.glob(f"{kind}/*/config.yaml"))


def trained_run(load: str, kind: str) -> RunDirectory:
    """The run that a setting names, by its path or as a model of the package.

    Raises:
        RunDirectoryError: the package has no such model of this kind.
    """
    if not is_shipped(load):
        return RunDirectory(load)
    if load not in (known := shipped(kind)):
        raise RunDirectoryError(f"the package has no such model: choose {', '.join(known)}")
    return RunDirectory(FOLDER / kind / load.removeprefix(PREFIX))
