"""The configuration as it is written: each group with the keys of all its choices."""

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any

from omegaconf import MISSING, OmegaConf

from gaugemc.choices.choice import Choice
from gaugemc.choices.menu import DEFAULTS, chosen, menu, metadata, types
from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings


@cache
def schema() -> type:
    """`Settings`, but each group of choices has the keys of all of them."""
    keys = [
        (f.name, keys_of(f.name), dataclasses.field(default_factory=keys_of(f.name)))
        if f.name in menu()
        else (f.name, f.type, copied(f, f.metadata))
        for f in dataclasses.fields(Settings)
    ]
    return dataclasses.make_dataclass("Configuration", keys)


@cache
def keys_of(group: str) -> type:
    """The keys of all choices of a group, with their types and documentation."""
    found: dict[str, tuple[str, Any, Any]] = {}
    for choice in menu()[group].values():
        for f in dataclasses.fields(choice):
            described = copied(f, metadata(choice, f.name))
            if f.name == choice.named_by:
                described = dataclasses.field(default=MISSING, metadata=described.metadata)
            found.setdefault(f.name, (f.name, types(choice)[f.name], described))
    keys = dataclasses.make_dataclass(group.title(), found.values())
    keys.__doc__ = next(base.__doc__ for base in Choice.__subclasses__() if base.of_group == group)
    return keys


def copied(field: Any, metadata: Mapping[str, Any]) -> Any:
    """A field for another dataclass."""
    if field.default_factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=field.default_factory, metadata=metadata)
    return dataclasses.field(default=field.default, metadata=metadata)


def own(choice: type[Choice]) -> dict[str, Any]:
    """The values of a choice that are not the same for all choices of its group."""
    values, common = dataclasses.asdict(choice()), keys_of(choice.of_group)()  # pyright: ignore
    return {key: value for key, value in values.items() if value != getattr(common, key)}


def settings_of(tree: Mapping[str, Any]) -> Settings:
    """The settings that nested keys and values stand for; what they leave out has its default.

    Raises:
        SettingsError: a choice is not on the menu.
        OmegaConfBaseException: a key does not exist, or a value has another type.
    """
    typed = OmegaConf.merge(OmegaConf.structured(schema()), tree)
    choices = {group: chosen(group, word_in(group, tree.get(group) or {})) for group in menu()}
    begun = {group: own(choice) for group, choice in choices.items()}
    merged = OmegaConf.merge(typed, begun, tree)
    refuse_nested(OmegaConf.to_container(merged))
    written = OmegaConf.to_object(merged)
    values = {f.name: getattr(written, f.name) for f in dataclasses.fields(Settings)}
    for group, choice in choices.items():
        keys = [f.name for f in dataclasses.fields(choice)]
        values[group] = choice(**{key: getattr(values[group], key) for key in keys})
    return Settings(**values)


def word_in(group: str, members: Mapping[str, Any]) -> str:
    """The word of the choice that these keys are of; older versions wrote none for theories."""
    choices = menu()[group]
    key = next(iter(choices.values())).named_by
    if key in members:
        return str(members[key])
    titled = {getattr(choice, "name", ""): word for word, choice in choices.items()}
    return members.get("toy") or titled.get(members.get("name"), DEFAULTS[group])


def refuse_nested(tree: Any, path: str = "") -> None:
    """Raise SettingsError for a list in a list, which OmegaConf takes for a number."""
    for name, value in tree.items():
        if isinstance(value, dict):
            refuse_nested(value, f"{path}{name}.")
        elif isinstance(value, list) and any(isinstance(member, list | dict) for member in value):
            raise SettingsError(path + name, value, "needs a list, not lists of lists")
