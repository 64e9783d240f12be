"""One setting: its default, its documentation, and the values that are refused."""

import math
from collections.abc import Callable
from dataclasses import field
from typing import Any

Check = Callable[[str, Any], None]
"""Takes a key and its value; raises SettingsError for a value that cannot be used."""


class SettingsError(ValueError):
    """A setting cannot be used: one line with the key, the value and the choices.

    A problem that begins with the key or the value does not say them again.
    """

    def __init__(self, key: str, value: Any, problem: str):
        name = key.rpartition(".")[2]
        for said in (f"{name} {value}: ", f"{value}: ", f"{name}: "):
            problem = problem.removeprefix(said)
        shown = ascii(value) if isinstance(value, str) and not value.isprintable() else value
        super().__init__(f"{key}={shown}: {problem}")


def option(default: Any, doc: str, check: Check | None = None) -> Any:
    """A field of settings, with its documentation and a check of its values.

    Without a check, a number must be positive.
    """
    if check is None and type(default) in (int, float):
        check = at_least(1) if type(default) is int else positive
    metadata = {"doc": doc, "check": check}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def must(holds: Callable[[Any], bool], problem: str) -> Check:
    """Refuse a value for which something does not hold; NaN never does."""

    def check(key: str, value: Any) -> None:
        if not holds(value):
            raise SettingsError(key, value, problem)

    return check


def one_of(*choices: str) -> Check:
    """Refuse all but these."""
    return must(lambda value: value in choices, f"choose one of {', '.join(choices)}")


def at_least(smallest: int | float) -> Check:
    """Refuse what is smaller, or infinite."""
    problem = f"must be at least {smallest:g} and finite"
    return must(lambda value: smallest <= value < math.inf, problem)


def each_between(smallest: int | float, largest: int | float) -> Check:
    """Refuse an empty list, and one with a number that does not lie between the two."""
    open_ended = f"needs finite numbers above {smallest:g}"
    between = f"needs numbers between {smallest:g} and {largest:g}, without the ends"
    problem = open_ended if largest == math.inf else between
    return must(lambda values: values and all(smallest < v < largest for v in values), problem)


positive = must(lambda value: 0 < value < math.inf, "must be positive and finite")
fraction = must(lambda value: 0 <= value <= 1, "must lie between 0 and 1")
filled = must(lambda value: value is None or value.strip(), "must not be empty")
