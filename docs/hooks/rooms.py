"""MkDocs hook: the picture of the rooms, drawn from the imports of the code."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MARKER = "<!-- picture of the rooms -->"
ROW = re.compile(r"^\| `([\w/.]+?)/?(?:\.py)?` \|", re.MULTILINE)
STEP, LEFT, TOP = 22, 110, 100
"""Of the drawing, in pixels: the width of a cell, and the room for names."""


def on_page_markdown(markdown: str, config: Any, **_: Any) -> str:
    """MkDocs calls this with the source of every page."""
    if MARKER not in markdown:
        return markdown
    source = Path(config.docs_dir).parent / "src" / "gaugemc"
    return markdown.replace(MARKER, picture(rooms(markdown), imports(source), lines(source)))


def rooms(markdown: str) -> list[str]:
    """The rooms in the page's table, from the ground up."""
    return ROW.findall(markdown)


def imports(source: Path) -> Counter[tuple[str, str]]:
    """How many files of one room import from another."""
    return Counter(
        (room_of(path, source), room)
        for path in sorted(source.rglob("*.py"))
        for room in set(imported_rooms(path))
        if room != room_of(path, source)
    )


def imported_rooms(path: Path) -> Iterator[str]:
    """The rooms that a file imports from, at any depth of its code."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            package, _, rest = node.module.partition(".")
            if package == "gaugemc":
                yield from [rest.split(".")[0]] if rest else (alias.name for alias in node.names)


def lines(source: Path) -> Counter[str]:
    """Lines of code of each room."""
    sizes: Counter[str] = Counter()
    for path in source.rglob("*.py"):
        sizes[room_of(path, source)] += len(path.read_text().splitlines())
    return sizes


def room_of(path: Path, source: Path) -> str:
    """The folder, or the file, that a file belongs to."""
    return path.relative_to(source).with_suffix("").parts[0]


def picture(order: list[str], arrows: Counter[tuple[str, str]], sizes: Counter[str]) -> str:
    """An SVG: a row and a column for each room, a disc where the row's room imports the column's.

    The ground floor is the lowest row. All discs are left of the diagonal: nothing is imported from
    above.
    """
    n, marks = len(order), []
    for i, room in enumerate(order):
        y = TOP + (n - 1 - i) * STEP + STEP / 2
        x = LEFT + i * STEP + STEP / 2
        marks.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{room}</text>')
        marks.append(f'<text transform="translate({x + 4},{TOP - 6}) rotate(-60)">{room}</text>')
        marks.append(f'<text x="{LEFT + n * STEP + 8}" y="{y + 4}">{sizes[room]:,}</text>')
        marks.append(
            f'<path d="M{LEFT} {y}H{LEFT + n * STEP}M{x} {TOP}v{n * STEP}" opacity=".12"/>'
        )
        marks.append(f'<rect x="{x - 4}" y="{y - 4}" width="8" height="8" opacity=".5"/>')
        for j, other in enumerate(order):
            files = arrows[room, other]
            if files:
                radius = min(2 + files**0.5, STEP / 2 - 1)
                text = f"{room} imports {other}: {files} file{'s'[: files - 1]}"
                cx = LEFT + j * STEP + STEP / 2
                disc = f'<circle cx="{cx}" cy="{y}" r="{radius:.1f}"><title>{text}</title></circle>'
                marks.append(disc)
    width, height = LEFT + n * STEP + 60, TOP + n * STEP + 10
    label = "A matrix of the rooms: discs mark imports, all of them from lower floors"
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}" fill="currentColor" '
        f'stroke="currentColor" stroke-width="0" font-size="12" style="max-width:{width}px">'
        f'<g stroke-width="1">{"".join(m for m in marks if m.startswith("<path"))}</g>'
        f"{''.join(m for m in marks if not m.startswith('<path'))}</svg>"
    )
