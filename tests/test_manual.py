"""What the manual's hooks make: formulas, links to arXiv, notebooks as pages, the reference."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import griffe
import nbformat
import pytest
from markdown import Markdown
from math_core import LatexError
from test_docs import FENCE, NOTEBOOKS, PAGES, ROOT, hook, relative

SOURCE = ROOT / "src" / "gaugemc"
FILES = sorted(SOURCE.rglob("*.py"))
INLINE_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)

typeset, notebooks, reference = (
    hook(f"hooks/{name}.py") for name in ("typeset", "notebooks", "reference")
)


def html(text: str) -> str:
    """A page as the manual's Markdown makes it, before the hooks."""
    arithmatex = {"pymdownx.arithmatex": {"generic": True}}
    extensions = ["pymdownx.arithmatex", "pymdownx.superfences"]
    return Markdown(extensions=extensions, extension_configs=arithmatex).convert(text)


def test_formulas_become_mathml() -> None:
    page = typeset.typeset(html(r"Here $\langle e^{-\Delta H}\rangle < 2$." + "\n\n$$ x_P $$\n"))
    assert page.count("<math>") == 1
    assert page.count('<math display="block">') == 1
    assert "<msub><mi>x</mi><mi>P</mi></msub>" in page
    assert "<mo>&lt;</mo>" in page
    assert "$" not in page


def test_code_is_not_typeset() -> None:
    page = typeset.typeset(html("`$x$`\n\n```\n$y$\n```\n"))
    assert "<math" not in page
    assert "$x$" in page


def test_a_mistake_in_a_formula_is_an_error() -> None:
    with pytest.raises(LatexError):
        typeset.typeset(html(r"$\lange x$"))


@pytest.mark.parametrize("path", [*PAGES[1:], *NOTEBOOKS], ids=relative)
def test_every_formula_is_right(path: Path) -> None:
    text = path.read_text()
    if path.suffix == ".ipynb":
        text = notebooks.markdown(nbformat.reads(text, as_version=4), path.name)
    page = typeset.typeset(html(text))
    prose = re.sub(r"<(pre|code|math)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert "\\" not in prose  # a formula whose dollars are not where they should be
    assert not re.findall(r".{,20}\$.{,20}", prose)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("(2112.01586, Eq. 4)", "2112.01586"),
        ("after 0907.5491.", "0907.5491"),
        ("the Gamma method (Wolff, hep-lat/0306017; pyerrors)", "hep-lat/0306017"),
        ("cond-mat/0110585", "cond-mat/0110585"),
        ("<p>1711.09268</p>", "1711.09268"),
        ("a time of 2013.01586 s", None),  # before 2015 numbers have 4 digits
        ("2113.01586", None),  # no such month
        ("0.1622 and 1012.50", None),
        ("12112.01586", None),
        ("2112.015867", None),
        ("<code>2112.01586</code>", None),
        ("<pre><span>2112.01586</span></pre>", None),
        ('<a href="https://arxiv.org/abs/2112.01586">2112.01586</a>', None),
        ('<img alt="2112.01586">', None),
    ],
)
def test_arxiv_numbers_become_links(text: str, number: str | None) -> None:
    page = typeset.linked(text)
    if number is None:
        assert page == text
    else:
        assert page.count("<a ") == 1
        assert f'<a href="https://arxiv.org/abs/{number}">{number}</a>' in page


@pytest.mark.parametrize("path", NOTEBOOKS, ids=relative)
def test_notebooks_become_pages(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    page = notebooks.markdown(notebook, path.name)
    assert page.startswith("# ")
    assert f"[{path.name}]({path.name})" in page
    code = [cell.source.strip() for cell in notebook.cells if cell.cell_type == "code"]
    assert re.findall(r"^```python\n(.*?)\n```$", page, re.MULTILINE | re.DOTALL) == code
    images = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert page.count("(data:image/png;base64,") == len(images) > 0
    printed = [o.text.strip() for c in notebook.cells for o in c.get("outputs", []) if "text" in o]
    assert all(text in page for text in printed)


def test_links_to_notebooks_lead_to_their_pages() -> None:
    for written in ("[a](../examples/u1_l2hmc.ipynb)", "[a](examples/u1_l2hmc.md)"):
        assert notebooks.on_page_markdown(written) == "[a](examples/u1_l2hmc.md)"


def test_every_folder_is_in_the_reference() -> None:
    """conf is the configuration page."""
    pages = "".join(path.read_text() for path in (ROOT / "docs" / "reference").glob("*.md"))
    folders = {path.parent.name for path in SOURCE.glob("*/__init__.py")} - {"conf"}
    assert set(reference.REST.findall(pages)) == {f"gaugemc.{folder}" for folder in folders}


def test_the_reference_names_modules_once_and_lists_the_rest(tmp_path: Path) -> None:
    pages = "".join(path.read_text() for path in (ROOT / "docs" / "reference").glob("*.md"))
    named = reference.NAMED.findall(pages)
    assert len(named) == len(set(named))
    for name in ("__init__", "known", "new", "inner/newer"):
        path = tmp_path / "p" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    page = reference.expanded("# P\n\n::: p.known\n\n<!-- rest of p -->\n", tmp_path, {"p.known"})
    assert reference.NAMED.findall(page) == ["p.known", "p.inner.newer", "p.new"]


SOURCE_WITH_FIELDS = """
from typing import NamedTuple
import equinox as eqx

class Base(eqx.Module):
    a: int

class Module(Base):
    b: float = eqx.field(converter=float)
    c: float = 2.0

class Own(eqx.Module):
    d: int

    def __init__(self, e: str): ...

class State(NamedTuple):
    x: int

class Plain:
    y: int
"""


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Module", {"a": None, "b": None, "c": "2.0"}),
        ("Own", {"e": None}),
        ("State", {"x": None}),
        ("Plain", {}),
    ],
)
def test_signatures_show_fields(tmp_path: Path, name: str, parameters: dict[str, str]) -> None:
    (tmp_path / "fields_of_classes.py").write_text(SOURCE_WITH_FIELDS)
    extensions = griffe.load_extensions(str(ROOT / "docs" / "hooks" / "fields.py"))
    module = griffe.load("fields_of_classes", search_paths=[tmp_path], extensions=extensions)
    shown = {p.name: p.default for p in module[name].parameters if p.name != "self"}
    assert {n: d if d is None else str(d) for n, d in shown.items()} == parameters


def docstrings(path: Path) -> Iterator[str]:
    """Docstrings of a module and all in it, and of fields (a string after an assignment)."""
    for node in ast.walk(ast.parse(path.read_text())):
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.Expr(ast.Constant(str() as text)):
                    yield text


@pytest.mark.parametrize("path", [*PAGES, *FILES], ids=relative)
def test_no_text_is_eaten_as_html(path: Path) -> None:
    """Browsers take `<exp(-dH)>` for a tag and show nothing. In backticks it is code."""
    texts = docstrings(path) if path.suffix == ".py" else [FENCE.sub("", path.read_text())]
    for text in texts:
        assert not re.findall(r"</?[a-zA-Z][^`\n]*", INLINE_CODE.sub("", text))
