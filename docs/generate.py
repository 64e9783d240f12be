"""MkDocs hook: writes the tables of configuration.md from the code, at every build."""

import dataclasses
import re
import types
import typing
from collections.abc import Iterator
from typing import Any, TypeGuard

from omegaconf import MISSING

from gaugemc.choices.choice import Choice
from gaugemc.choices.menu import DEFAULTS, menu
from gaugemc.choices.schema import schema
from gaugemc.conf import groups

MARKER = "<!-- configuration tables -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs calls this with the source of every page."""
    return markdown.replace(MARKER, configuration()) if MARKER in markdown else markdown


def configuration() -> str:
    """All tables: keys, choices of groups, modes."""
    sections = [
        "## Keys",
        "A key without a default is set by the choice of its group.",
        *keys(),
        "## Groups",
        "`GROUP=CHOICE` on the command line sets all keys of a group at once; "
        "`GROUP.KEY=VALUE` then changes one of them.",
        *choices(),
        "## Modes",
        "`mode=MODE` changes the defaults below; whatever else the command line says wins over it.",
        *modes(),
    ]
    return "\n\n".join(sections)


def keys() -> Iterator[str]:
    """A table of the settings of the run itself, and one of each group."""
    nested = {f.name: t for f in dataclasses.fields(schema()) if is_group(t := f.type)}
    yield "### The run"
    yield table(["key", "type", "default", "meaning"], rows(schema(), ""))
    for name, settings in nested.items():
        yield f"### {name}"
        yield (settings.__doc__ or "").strip()
        yield table(["key", "type", "default", "meaning"], rows(settings, f"{name}."))


def rows(settings: type, prefix: str) -> list[list[str]]:
    """Key, type, default and documentation of every field that is no group."""
    return [
        [code(prefix + f.name), code(type_name(f.type)), default(f), prose(f.metadata["doc"])]
        for f in dataclasses.fields(settings)
        if not is_group(f.type)
    ]


def choices() -> Iterator[str]:
    """For each group, its choices: what each is, its own keys, and what else it changes."""
    for group, named in menu().items():
        yield f"### Choices of {group}"
        body = [
            [
                code(word) + (" (default)" if DEFAULTS[group] == word else ""),
                (choice.__doc__ or "").splitlines()[0],
                settings(choice),
            ]
            for word, choice in named.items()
        ]
        yield table(["choice", "what it is", "its keys and their defaults"], body)
        for word, choice in named.items():
            if choice.defaults:
                yield f"`{group}={word}` also changes these defaults:"
                changed = [[code(key), code(value)] for key, value in flat(dict(choice.defaults))]
                yield table(["key", "value"], changed)


def settings(choice: type[Choice]) -> str:
    """The keys of a choice with their defaults."""
    values = dataclasses.asdict(choice())
    values.pop(choice.named_by)
    return ", ".join(f"{code(key)} {code(value)}" for key, value in values.items())


def modes() -> Iterator[str]:
    """For each mode, the keys that it changes."""
    for name, changes in groups.MODES.items():
        yield f"### mode={name}"
        plain = {key: value for key, value in changes.items() if key != "defaults"}
        changed = [[code(key), code(value)] for key, value in flat(plain)]
        for choice in changes.get("defaults", []):
            changed += [[code(key.split("/")[-1]), code(value)] for key, value in choice.items()]
        for word, theory in menu()["theory"].items():
            changed += [
                [f"{code(key)} of {code(word)}", code(value)]
                for key, value in flat(dict(theory.with_modes.get(name, {})))
            ]
        yield table(["key", "value"], changed) if changed else "Changes nothing."


def flat(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of nested dictionaries."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def is_group(annotation: Any) -> TypeGuard[type]:
    """Whether a field holds settings of its own."""
    return isinstance(annotation, type) and dataclasses.is_dataclass(annotation)


def default(field: dataclasses.Field) -> str:
    """The default value, empty where the choice of the group sets it."""
    if field.default_factory is not dataclasses.MISSING:
        return code(field.default_factory())
    return "" if field.default == MISSING else code(field.default)


def type_name(annotation: Any) -> str:
    """int, list[float], str or null: as a user of YAML would say."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return " or ".join(type_name(a) for a in typing.get_args(annotation))
    if annotation is type(None):
        return "null"
    return (
        annotation.__name__
        if isinstance(annotation, type) and not typing.get_args(annotation)
        else str(annotation)
    )


def prose(text: str) -> str:
    """The documentation of a key as the manual writes it: beta, which --help spells, is β."""
    return re.sub(r"(?<![.\w`])beta(s?)\b", r"β\1", text)


def code(value: Any) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, bool):
        value = str(value).lower()
    elif isinstance(value, list):
        value = "[" + ",".join(str(v) for v in value) + "]"
    elif value is None:
        value = "null"
    return f"`{value}`"


def table(head: list[str], body: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in r) + " |" for r in lines
    )
