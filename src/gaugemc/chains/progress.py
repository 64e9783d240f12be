"""A progress bar with the time left, for anything that takes more than a few seconds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Report = Callable[[int, str], None]
"""Called with the amount done so far and a short status."""


@contextmanager
def progress_bar(title: str, total: int, show: bool, done: int = 0) -> Iterator[Report]:
    """Show title, bar, status and time left on stderr; yields the function to report with."""
    if not show:
        yield lambda completed, status="": None
        return
    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, completed=done, status="")

        def report(completed: int, status: str = "") -> None:
            bar.update(task, completed=completed, status=status)

        yield report
