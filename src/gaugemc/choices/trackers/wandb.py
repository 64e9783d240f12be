"""tracker=wandb."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
            yield lambda step, row: tracked.log(measured(row), step=step, commit=True)
            track_report(wandb, tracked, path)


def track_report(wandb: Any, tracked: Any, path: Path) -> None:
    """The report as an artifact with its numbers, and page and figures to look at."""
    artifact = wandb.Artifact(f"report-{tracked.id}", "report")
    for name in ("report.html", "summary.json", "metrics.csv"):
        artifact.add_file(str(path / name))
    artifact.add_dir(str(path / "figures"), "figures")
    tracked.log_artifact(artifact)
    pages = {"report": path / "report.html"}
    pages |= {f"figures/{file.stem}": file for file in sorted((path / "figures").glob("*.svg"))}
    tracked.log(
        {name: wandb.Html(file.read_text("utf-8"), inject=False) for name, file in pages.items()}
    )
