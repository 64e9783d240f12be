"""tracker=none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gaugemc.choices.built import Settings
from gaugemc.choices.choice import Track, TrackerChoice


class NoTracker(TrackerChoice):
    """Nowhere else."""

    name: str = "none"

    @contextmanager
    def track(self, settings: Settings, path: Path, first_step: int) -> Iterator[Track]:
        yield lambda step, row: None
