"""The menu: every choice of every group, gaugemc's own and those of installed packages.

A package adds choices through the entry point group `gaugemc.choices`: each entry point is a
choice, or a module of choices.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from inspect import isabstract, isclass
from types import ModuleType
from typing import Any, get_type_hints

from omegaconf import MISSING

from gaugemc.choices import flows, samplers, theories, trackers
from gaugemc.choices.choice import Choice
from gaugemc.choices.option import SettingsError

DEFAULTS = {"theory": "u1_2d", "sampler": "fthmc", "flow": "ncp", "tracker": "none"}
"""The choice of each group where none is named."""

ENTRY_POINTS = "gaugemc.choices"

Menu = Mapping[str, Mapping[str, type[Choice]]]


class PluginError(Exception):
    """The choices of an installed package cannot be used: one line names the package."""


def choices_in(found: Any) -> Iterator[type[Choice]]:
    """The choices that a module defines; a choice itself."""
    members = vars(found).values() if isinstance(found, ModuleType) else [found]
    for member in members:
        own = (
            not isinstance(found, ModuleType) or getattr(member, "__module__", "") == found.__name__
        )
        if own and isclass(member) and issubclass(member, Choice) and member.word() != MISSING:
            yield member


@cache
def menu() -> Menu:
    """The choices of each group by their words.

    Raises:
        PluginError: the choices of a package cannot be loaded, or take the place of others.
    """
    found: dict[str, dict[str, type[Choice]]] = {group: {} for group in DEFAULTS}
    for package in (theories, samplers, flows, trackers):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for choice in choices_in(importlib.import_module(module.name)):
                found[choice.of_group][choice.word()] = choice
    for point in entry_points(group=ENTRY_POINTS):
        for choice in loaded(point):
            add(found, choice, package_of(point))
    return found


def loaded(point: EntryPoint) -> list[type[Choice]]:
    """The choices of an entry point."""
    try:
        choices = list(choices_in(point.load()))
    except Exception as error:  # of a package that is not ours
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise PluginError(f"package {package_of(point)}: {point.value}: {reason}") from error
    if not choices:
        raise PluginError(f"package {package_of(point)}: {point.value} holds no choice of gaugemc")
    return choices


def add(found: dict[str, dict[str, type[Choice]]], choice: type[Choice], package: str) -> None:
    """Put a package's choice on the menu.

    Raises:
        PluginError: the group, the word or the type of a key is not what gaugemc can take.
    """
    group, word = choice.of_group, choice.word()
    where = f"package {package}: {group}={word}"
    if group not in found:
        raise PluginError(f"{where}: no such group; choose one of {', '.join(found)}")
    if word in found[group]:
        other = found[group][word]
        raise PluginError(f"{where}: {other.__module__} has this choice: choose another name")
    if isabstract(choice):
        raise PluginError(f"{where}: lacks {', '.join(sorted(choice.__abstractmethods__))}")
    known = {key: kind for other in found[group].values() for key, kind in types(other).items()}
    for key, kind in types(choice).items():
        if not metadata(choice, key).get("doc"):
            raise PluginError(f"{where}: {key} has no documentation: write option(default, doc)")
        if known.get(key, kind) != kind:
            problem = f"{group}.{key} is of another type in other choices: choose another name"
            raise PluginError(f"{where}: {problem}")
    found[group][word] = choice


def metadata(choice: type[Choice], key: str) -> Mapping[str, Any]:
    """The documentation and the check of a setting, which the class or a base wrote."""
    own = (base.__dict__.get("__dataclass_fields__", {}).get(key) for base in choice.__mro__)
    return next((f.metadata for f in own if f is not None and f.metadata.get("doc")), {})


def types(choice: type[Choice]) -> dict[str, Any]:
    """The type of each setting of a choice."""
    hints = get_type_hints(choice)
    return {f.name: hints[f.name] for f in fields(choice)}


def package_of(point: EntryPoint) -> str:
    """The name of the package that an entry point belongs to."""
    return point.dist.name if point.dist else point.value


def chosen(group: str, word: str) -> type[Choice]:
    """A choice by its word.

    Raises:
        SettingsError: there is no such choice.
    """
    choices = menu()[group]
    if word not in choices:
        problem = f"choose one of {', '.join(choices)}"
        raise SettingsError(f"{group}.{next(iter(choices.values())).named_by}", word, problem)
    return choices[word]


def label(group: str, word: str) -> str:
    """What reports call a choice; the word itself where the choice is not installed."""
    choice = menu()[group].get(word)
    return word if choice is None else choice.label
