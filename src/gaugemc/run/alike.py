"""What must be equal in all processes that work together."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np

import gaugemc
from gaugemc.choices.loading import written
from gaugemc.choices.settings import Settings
from gaugemc.choices.uses import used
from gaugemc.run.extension import FREE

Told = Mapping[str, Any]
"""What a process is told to do, and what software does it: values of JSON by their names."""


def told(settings: Settings, **packages: str) -> Told:
    """What this process has to tell the others; `packages` are versions of further software."""
    versions = {"gaugemc": f"{gaugemc.__version__} (code {code()[:8]})", "jax": jax.__version__}
    wanted = {key: value for key, value in used(settings).items() if key not in FREE}
    return json.loads(json.dumps(versions | {"numpy": np.__version__} | packages | wanted))


def refuse_unlike(processes: Sequence[Told]) -> None:
    """Raise ConnectionError unless all processes were told the same as process 0.

    One that samples another density would spoil the draws of all.
    """
    first, *others = processes
    for number, other in enumerate(others, 1):
        for key in {**first, **other}:
            here, there = first.get(key), other.get(key)
            if here != there:
                raise ConnectionError(
                    f"process {number} has {key}={written(there)}, process 0 has"
                    f" {key}={written(here)}: start all with the same"
                )


@cache
def code() -> str:
    """A digest of the source of this package, which may differ within a version."""
    digest, folder = hashlib.sha256(), Path(str(gaugemc.__file__)).parent
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".py", ".h", ".cc"):
            digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
