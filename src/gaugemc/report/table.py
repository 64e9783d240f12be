"""A table as HTML, and the marks of values that are bounds."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from gaugemc.statistics.notation import MISSING

TAU = '<i>τ</i><span class="sub">int</span>'


def table(
    caption: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    chosen: int = -1,
    kind: str = "",
) -> str:
    """A table whose cells are HTML; the first column heads the rows.

    A row of one cell heads the rows below it; the row `chosen` stands out; `kind` is a CSS class.
    """
    head = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    body = ""
    for index, row in enumerate(rows):
        if len(row) == 1:
            title = f'<th scope="rowgroup" colspan="{len(header)}">{row[0]}</th>'
            body += f'</tbody>\n<tbody class="group"><tr>{title}</tr>\n'
            continue
        mark = ' class="chosen"' if index == chosen else ""
        cells = f'<th scope="row">{row[0]}</th>' + "".join(f"<td>{cell}</td>" for cell in row[1:])
        body += f"<tr{mark}>{cells}</tr>\n"
    name = html.escape(caption)
    # Focusable, so that a keyboard can scroll it.
    return (
        f'<div class="scroll {kind}" tabindex="0" role="region" aria-label="{name}">'
        f'<table aria-label="{name}"><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}</tbody></table></div>"
    )


def tagged(text: str, lower: bool = False, upper: bool = False, reasons: Sequence[str] = ()) -> str:
    """A value whose sign marks it as a bound, marked so in words too; a tooltip says why."""
    if not (lower or upper) or text == MISSING:
        return text
    word = "undecided" if lower and upper else "lower bound" if lower else "upper bound"
    return f"{text} {tag(word, reasons)}"


def tag(word: str, reasons: Sequence[str] = ()) -> str:
    """A small mark behind a value, with a tooltip where there are reasons."""
    why = html.escape("; ".join(dict.fromkeys(reason for reason in reasons if reason)))
    title = f' title="{why}"' if why else ""
    return f'<span class="tag"{title}>{word}</span>'


def reason_of(observable: Mapping[str, Any]) -> str:
    """Why what was measured of an observable is only a bound; "" where that is not known."""
    return str(observable.get("reason") or "") if observable.get("lower_bound") else ""
