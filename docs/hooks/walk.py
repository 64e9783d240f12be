"""MkDocs hook: a walk through functions, each with its file, its line and what it does."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import griffe

WALK = re.compile(r"<!-- walk: ([\w. ]+) -->")


class Stop(NamedTuple):
    """A function of the walk."""

    name: str
    path: str
    """Where the reference describes the function, or the one that it inherits from."""
    file: str
    """Below src/gaugemc."""
    line: int
    what: str
    """The first line of its docstring, or of that which it inherits."""
    source: str


def on_page_markdown(markdown: str, config: Any, **_: Any) -> str:
    """MkDocs calls this with the source of every page."""
    source = Path(config.docs_dir).parent / "src"
    return WALK.sub(lambda found: table(stops(source, found[1].split())), markdown)


def stops(source: Path, paths: list[str]) -> list[Stop]:
    """What the code says of each of these functions."""
    package = griffe.load("gaugemc", search_paths=[source])
    return [stop(package, path) for path in paths]


def stop(package: griffe.Module, path: str) -> Stop:
    """One function of the walk."""
    parts = path.removeprefix("gaugemc.").split(".")
    found: Any = package[parts]
    inherited = found
    while not inherited.docstring and isinstance(inherited.parent, griffe.Class):
        bases = [base for base in inherited.parent.mro() if found.name in base.members]
        inherited = next((base[found.name] for base in bases), inherited)
        if inherited is found or inherited.docstring:
            break
    what = inherited.docstring.value.partition("\n")[0] if inherited.docstring else ""
    owner = f"{found.parent.name}." if isinstance(found.parent, griffe.Class) else ""
    file = str(found.filepath.relative_to(package.filepath.parent))
    return Stop(f"{owner}{found.name}", inherited.path, file, found.lineno, what, found.source)


def table(walk: list[Stop]) -> str:
    """The walk as a table."""
    rows = ["| | function | file and line | |", "| --- | --- | --- | --- |"]
    rows += [
        f"| {n} | [`{s.name}`][{s.path}] | `{s.file}:{s.line}` | {s.what} |"
        for n, s in enumerate(walk, 1)
    ]
    return "\n".join(rows)
