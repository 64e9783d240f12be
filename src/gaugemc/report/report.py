"""The report of a run: one self-contained page, drawn from the files that the run left."""

from __future__ import annotations

import html
import pathlib
from importlib import resources
from string import Template

from gaugemc.io.atomic import write_atomically
from gaugemc.report.record import read_run
from gaugemc.report.sections import body, title_of
from gaugemc.statistics.notation import format_error

__all__ = ["format_error", "write_report"]


def write_report(directory: pathlib.Path) -> pathlib.Path:
    """Draw `figures/*.svg` and write `report.html` of a run; returns the path of the page.

    Reads `summary.json` and, where they are there, `config.yaml`, `metrics.csv` and `chains/*.h5`.
    The page needs no other file, no script and no network.

    Raises:
        FileNotFoundError: there is no `summary.json`.
        ValueError: a file cannot be read; the message names it.
    """
    run = read_run(directory)
    return write_page(directory / "report.html", title_of(run), body(run))


def write_page(path: pathlib.Path, title: str, content: str) -> pathlib.Path:
    """Write a self-contained page; `content` is HTML, the title is text."""
    page = Template(package_text("report.html")).substitute(
        title=html.escape(title), css=package_text("report.css"), body=content
    )
    with write_atomically(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def package_text(name: str) -> str:
    """A text file that is installed beside this module."""
    return resources.files("gaugemc.report").joinpath(name).read_text(encoding="utf-8")
