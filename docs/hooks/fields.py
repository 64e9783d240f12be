"""Griffe extension: signatures of equinox modules and named tuples, from their fields.

Griffe reads sources without running them. It knows the constructors of `@dataclass` classes, and
that is what equinox makes of a module, too.
"""

from typing import Any

import griffe

GENERATED = {"equinox.Module", "typing.NamedTuple"}
"""Bases that make a constructor from annotated fields."""


class Fields(griffe.Extension):
    """Marks classes with such a base as dataclasses, which griffe then reads."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Griffe calls this with each package that it has read."""
        for class_ in classes(pkg):
            if has_generated_constructor(class_) and "__init__" not in class_.members:
                mark(class_)


def classes(module: griffe.Module) -> list[griffe.Class]:
    """All classes of a package, without imported ones."""
    found = []
    for member in module.members.values():
        if member.is_alias:
            continue
        if isinstance(member, griffe.Class):
            found.append(member)
        elif isinstance(member, griffe.Module):
            found += classes(member)
    return found


def has_generated_constructor(class_: griffe.Class) -> bool:
    """Whether one of the bases, at any depth, is in `GENERATED`."""
    bases = [base for c in (class_, *class_.mro()) for base in c.bases]
    return any(getattr(base, "canonical_path", base) in GENERATED for base in bases)


def mark(class_: griffe.Class) -> None:
    """Make a class a dataclass, with fields as parameters and no converters as defaults."""
    decorator = griffe.ExprName("dataclasses.dataclass")
    class_.decorators.append(griffe.Decorator(decorator, lineno=None, endlineno=None))
    for member in class_.members.values():
        value = getattr(member, "value", None)
        if isinstance(value, griffe.ExprCall) and value.canonical_path == "equinox.field":
            keywords = {a.name: a.value for a in value.arguments if hasattr(a, "name")}
            member.value = keywords.get("default")
