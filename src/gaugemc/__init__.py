"""Trained Markov chain Monte Carlo samplers for lattice gauge theory that are exact."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gaugemc.checks import check as check

__version__ = "0.1.0"

_PUBLIC = {"check": "gaugemc.checks"}
"""Names that are loaded when they are used, so that `import gaugemc` stays quick."""


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'gaugemc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
