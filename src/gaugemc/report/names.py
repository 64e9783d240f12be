"""How the report calls observables: by their symbols and labels, or by unknown names themselves."""

import html
import re
from collections.abc import Iterable

from gaugemc.choices.menu import label
from gaugemc.observables import OBSERVABLES, Observable

MULTIPLES = ("flowed_t2_energy",)
"""Multiples of other observables: their pictures and times are the same."""
ENTRY = re.compile(r"(.+)\[(\d+(?:,\d+)*)\]")
"""The name of an entry of an array."""
LETTERS = re.compile(r"[^\W\d_]+")


def known(name: str) -> tuple[type[Observable] | None, str]:
    """The observable that a name stands for, and what to add for an entry of an array."""
    found = ENTRY.fullmatch(name)
    observable = OBSERVABLES.get(found[1] if found else name)
    if observable is None or found is None:
        return observable, ""
    return observable, observable.entry(tuple(map(int, found[2].split(","))))


def called(name: str) -> str:
    """The symbol of an observable, or its label, or its name."""
    observable, entry = known(name)
    if observable is None:
        return name.replace("_", " ")
    return (observable.symbol or observable.label) + entry


def symbol(name: str) -> str:
    """As `called`, in HTML: the letters of symbols are italic."""
    observable, entry = known(name)
    if observable is None or not observable.symbol:
        return html.escape(called(name))
    return LETTERS.sub(r"<i>\g<0></i>", html.escape(observable.symbol)) + entry


def heading(name: str) -> str:
    """The label and the symbol of an observable, in HTML, as a line begins with them."""
    observable, entry = known(name)
    if observable is None:
        return html.escape(called(name))
    label = html.escape(observable.label[0].upper() + observable.label[1:])
    return f"{label} {symbol(name)}" if observable.symbol else label + entry


def baseline_label(phase: str) -> str:
    """The name of a baseline within a sentence: HMC, HMC for plaquette, heatbath."""
    word, _, what = phase.partition("-")
    return " for ".join([label("sampler", word), *([what.replace("_", " ")] if what else [])])


def by_array(names: Iterable[str]) -> dict[str, list[str]]:
    """The entries of each array, by its name; single numbers under ""."""
    groups: dict[str, list[str]] = {"": []}
    for name in names:
        found = ENTRY.fullmatch(name)
        groups.setdefault(found[1] if found else "", []).append(name)
    return groups
