"""MkDocs hook: the notebooks of examples/ become pages of the manual, as they were executed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.structure.files import File, Files

ON_GITHUB = re.compile(r"\]\((?:\.\./)+(examples/\w+)\.ipynb\)")
"""A link of a page of docs/ to a notebook, as it works in the repository."""


def notebooks(root: Path) -> list[Path]:
    """The notebooks of a repository."""
    return sorted((root / "examples").glob("*.ipynb"))


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """MkDocs calls this with all files of the manual: adds a page and a download a notebook."""
    for path in notebooks(Path(config.config_file_path).parent):
        name = f"examples/{path.name}"
        files.append(File.generated(config, name, abs_src_path=str(path)))
        text = markdown(nbformat.read(path, as_version=4), path.name)
        files.append(File.generated(config, f"examples/{path.stem}.md", content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs calls this with the source of every page."""
    return ON_GITHUB.sub(r"](\1.md)", markdown)


def markdown(notebook: Any, name: str) -> str:
    """The cells of a notebook and their outputs."""
    cells = [block for cell in notebook.cells for block in blocks(cell)]
    title, *rest = cells
    about = f"*This page is a notebook, [{name}]({name}), with the outputs of its last run.*"
    first_line, _, remainder = title.partition("\n")
    return "\n\n".join([first_line, about, remainder.strip(), *rest]) + "\n"


def blocks(cell: Any) -> Iterator[str]:
    """The source of a cell, then each of its outputs."""
    if cell.cell_type == "markdown":
        yield cell.source.strip()
        return
    yield f"```python\n{cell.source.strip()}\n```"
    printed = ""
    for output in cell.get("outputs", []):
        if output.output_type == "stream":  # one block for all that is printed in a row
            printed += output.text
            continue
        yield from text_block(printed)
        printed = ""
        data = output.data
        if "image/png" in data:
            yield f"![Figure](data:image/png;base64,{data['image/png'].replace(chr(10), '')})"
        else:
            yield from text_block(data["text/plain"])
    yield from text_block(printed)


def text_block(text: str) -> Iterator[str]:
    """What was printed, unless nothing was."""
    if text.strip():
        yield f"```{{.text .output}}\n{text.strip(chr(10))}\n```"
