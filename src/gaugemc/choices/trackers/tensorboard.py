"""tracker=tensorboard."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gaugemc.choices.built import Settings
from gaugemc.choices.choice import Row, Track, TrackerChoice, measured


class TensorBoard(TrackerChoice):
    """Files of TensorBoard in the run directory."""

    name: str = "tensorboard"
    package = "tensorboardX"

    @contextmanager
    def track(self, settings: Settings, path: Path, first_step: int) -> Iterator[Track]:
        from tensorboardX import SummaryWriter

        with SummaryWriter(str(path / "tensorboard"), purge_step=first_step) as board:

            def add(step: int, row: Row) -> None:
                for name, value in measured(row).items():
                    board.add_scalar(f"train/{name}", value, step)

            yield add
