"""MkDocs hook: the table of public names, from the list that `import gaugemc as gm` reads."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import griffe

MARKER = "<!-- public names -->"


class Name(NamedTuple):
    """A public name: the room it comes from, its full path, the first line of its docstring."""

    room: str
    name: str
    path: str
    line: str


def on_page_markdown(markdown: str, config: Any, **_: Any) -> str:
    """MkDocs calls this with the source of every page."""
    if MARKER not in markdown:
        return markdown
    return markdown.replace(MARKER, table(public_names(Path(config.docs_dir).parent / "src")))


def public_names(source: Path) -> Iterator[Name]:
    """All names of `__init__.pyi` but those of whole rooms, in their order there."""
    package = griffe.load("gaugemc", search_paths=[source])
    for name, member in package.members.items():
        if not isinstance(member, griffe.Alias) or member.target_path.count(".") < 2:
            continue
        target = member.final_target
        # A function may have the name of its module, which comes first in the package.
        target = target[name] if isinstance(target, griffe.Module) else target
        line = target.docstring.value.partition("\n")[0] if target.docstring else ""
        yield Name(member.target_path.split(".")[1], name, target.path, line)


def table(names: Iterator[Name]) -> str:
    """One row a name, the rooms in their order."""
    rows = ["| name | what it is |", "| --- | --- |"]
    for room, members in itertools.groupby(names, lambda n: n.room):
        rows.append(f"| **{room}** | |")
        rows += [
            f"| [`{n.name}`][{n.path}] | {n.line.replace('|', chr(92) + '|')} |" for n in members
        ]
    return "\n".join(rows)
