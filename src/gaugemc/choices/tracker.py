"""Experiment trackers: where the numbers of training go besides metrics.csv."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from gaugemc.choices.settings import PACKAGES, Settings, SettingsError

Row = Mapping[str, float | int | None]
Track = Callable[[int, Row], None]


def check_installed(name: str) -> None:
    """Raise SettingsError if the tracker's package is missing."""
    package = PACKAGES[name]
    if package is not None and find_spec(package) is None:
        raise SettingsError("tracker.name", name, f'not installed: pip install "gaugemc[{name}]"')


@contextmanager
def tracking(settings: Settings, path: Path, first_step: int) -> Iterator[Track]:
    """A function that tracks a row of numbers at a step; what was not measured is left out.

    A resumed run goes on in the same tracked run: rows from `first_step` on replace those that were
    tracked before it was interrupted.
    """
    match settings.tracker.name:
        case "tensorboard":
            from tensorboardX import SummaryWriter

            with SummaryWriter(str(path / "tensorboard"), purge_step=first_step) as board:

                def add(step: int, row: Row) -> None:
                    for name, value in measured(row).items():
                        board.add_scalar(f"train/{name}", value, step)

                yield add
        case "wandb":
            import wandb  # pyright: ignore[reportMissingImports]

            run_id = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
            with wandb.init(
                project=settings.tracker.project,
                name=settings.name,
                id=run_id,
                resume="allow",
                dir=str(path),
                config=dataclasses.asdict(settings),
            ) as tracked:
                yield lambda step, row: tracked.log(measured(row), step=step)
        case _:
            yield lambda step, row: None


def measured(row: Row) -> dict[str, float | int]:
    """A row without its step and without empty cells."""
    return {name: value for name, value in row.items() if value is not None and name != "step"}
