"""MkDocs hook: what a reference page does not sort by use is listed at its end."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REST = re.compile(r"^<!-- rest of ([\w.]+) -->$", re.MULTILINE)
NAMED = re.compile(r"^::: ([\w.]+)$", re.MULTILINE)


def on_page_markdown(markdown: str, config: Any, **_: Any) -> str:
    """MkDocs calls this with the source of every page."""
    if not REST.search(markdown):
        return markdown
    docs = Path(config.docs_dir)
    pages = [path.read_text() for path in docs.glob("reference/*.md")]
    return expanded(markdown, docs.parent / "src", {m for p in pages for m in NAMED.findall(p)})


def expanded(markdown: str, source: Path, named: set[str]) -> str:
    """The page with each marker replaced by the modules of its package that no page names."""

    def rest(match: re.Match[str]) -> str:
        left = [module for module in modules(source, match[1]) if module not in named]
        return "\n\n".join(["## Further parts", *(f"::: {m}" for m in left)]) if left else ""

    return REST.sub(rest, markdown)


def modules(source: Path, package: str) -> Iterator[str]:
    """All modules of a package, at any depth, without the packages themselves."""
    for path in sorted((source / package.replace(".", "/")).rglob("*.py")):
        if path.name != "__init__.py":
            yield ".".join(path.relative_to(source).with_suffix("").parts)
