"""tracker=wandb."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gaugemc.choices.built import Settings
from gaugemc.choices.choice import Track, TrackerChoice, measured
from gaugemc.choices.option import filled, option


class WeightsAndBiases(TrackerChoice):
    """A run of Weights & Biases."""

    name: str = "wandb"
    package = "wandb"
    project: str = option("gaugemc", "project of wandb", filled)

    @contextmanager
    def track(self, settings: Settings, path: Path, first_step: int) -> Iterator[Track]:
        import wandb  # pyright: ignore[reportMissingImports]

        from gaugemc.choices.uses import tree

        run_id = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
        with wandb.init(  # pyright: ignore[reportAttributeAccessIssue]
            project=self.project,
            name=settings.name,
            id=run_id,
            resume="allow",
            dir=str(path),
            config=tree(settings),
        ) as tracked:
            yield lambda step, row: tracked.log(measured(row), step=step)
