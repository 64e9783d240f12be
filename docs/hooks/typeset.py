"""MkDocs hook: formulas become MathML and arXiv numbers become links, in pages and docstrings."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

from math_core import LatexError, LatexToMathML
from mkdocs.exceptions import PluginError

FORMULA = re.compile(r"<(span|div) class=\"arithmatex\">\\([(\[])(.*?)\\[)\]]</\1>", re.DOTALL)
"""What pymdownx.arithmatex makes of $...$ and $$...$$."""

TAG = re.compile(r"<!--.*?-->|<(/?)([a-zA-Z][\w-]*)(?:[^\"'>]|\"[^\"]*\"|'[^']*')*>", re.DOTALL)

UNTOUCHED = frozenset({"a", "code", "pre", "math", "script", "style", "title"})
"""Elements whose text holds no number that should be a link."""

MONTH = r"(?:0[1-9]|1[0-2])"
ARXIV = re.compile(
    r"(?<![\w./-])("
    rf"(?:0[7-9]|1[0-4]){MONTH}\.\d{{4}}"
    rf"|(?:1[5-9]|[2-4]\d){MONTH}\.\d{{5}}"
    r"|(?:hep-(?:lat|th|ph|ex)|cond-mat|quant-ph|gr-qc|nucl-th|math-ph|physics|math)/\d{7}"
    r")(?![\w/]|\.\d)"
)
"""Identifiers by arXiv's own rule: a year and a month, 4 digits before 2015 and 5 from then on."""

_mathml = LatexToMathML()


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """MkDocs calls this with the HTML of every page."""
    try:
        return linked(typeset(html))
    except LatexError as error:
        raise PluginError(f"{page.file.src_uri}: {error}") from error


def typeset(html: str) -> str:
    """The same page with its formulas in MathML, which browsers draw without scripts."""

    def formula(match: re.Match[str]) -> str:
        kind, latex = match[2], unescape(match[3])
        return _mathml.convert_with_local_state(latex, displaystyle=kind == "[")

    return FORMULA.sub(formula, html)


def linked(html: str) -> str:
    """The same page with its arXiv numbers as links, but for those in code and in links."""

    def link(match: re.Match[str]) -> str:
        return f'<a href="https://arxiv.org/abs/{match[1]}">{match[1]}</a>'

    return outside(UNTOUCHED, lambda text: ARXIV.sub(link, text), html)


def outside(elements: frozenset[str], change: Callable[[str], str], html: str) -> str:
    """HTML with the text that is in none of the elements changed."""
    pieces, position, depth = [], 0, 0
    for tag in TAG.finditer(html):
        text = html[position : tag.start()]
        pieces += [text if depth else change(text), tag[0]]
        position = tag.end()
        if tag[2] in elements and not tag[0].endswith("/>"):
            depth += -1 if tag[1] else 1
    return "".join([*pieces, change(html[position:])])
