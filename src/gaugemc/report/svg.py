"""Figures as SVG: as files, and as part of a page in the colours of the page."""

from __future__ import annotations

import html
import io
import re

import matplotlib as mpl
from matplotlib.figure import Figure

from gaugemc.report.style import PALETTE, STYLE

NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def svg_of(figure: Figure) -> str:
    """A figure as SVG text, its coordinates cut to two decimals, which halves long histories.

    What is written in the figure, tick labels above all, is left alone.
    """
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata=NO_METADATA)
    svg = re.sub(r"<[^>]*>", lambda tag: shortened(tag[0]), buffer.getvalue())
    # Matplotlib names shared elements by hashes that differ from process to process.
    hashes = dict.fromkeys(re.findall(r'\bid="([a-z][0-9a-f]{10})"', svg))
    for index, name in enumerate(hashes):
        svg = svg.replace(name, f"{name[0]}{index}")
    return svg


def shortened(tag: str) -> str:
    """A tag with the numbers in it cut to two decimals."""
    return re.sub(r"(\d+\.\d\d)\d+", r"\1", tag)


def inlined(svg: str, name: str, description: str) -> str:
    """An SVG file as an element of the page: described, in the page's colours, its ids unique.

    The colours of `PALETTE` become the CSS variables of the same names, so the figure follows the
    page into dark mode.
    """
    element = svg[svg.index("<svg") :]
    element = re.sub(r' xmlns(:xlink)?="[^"]*"', "", element).replace("xlink:href", "href")
    element = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", element)
    for key, colour in PALETTE.items():
        element = element.replace(colour, f"var(--{key})")
    label = html.escape(description)
    return element.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
