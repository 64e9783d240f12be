"""What a run must share with the run whose trained model it loads."""

import json
from typing import Any

from gaugemc.choices.settings import Settings
from gaugemc.choices.traits import trained
from gaugemc.choices.uses import used


def misfit(stored: Settings, settings: Settings) -> str:
    """Why a run of these settings cannot load what another trained; "" where it may.

    Group, dimension, kind of model, all that shapes the model or its networks, and the type of its
    numbers must be the same.
    """
    theirs, ours = stored.theory.group, settings.theory.group
    if theirs != ours:
        if theirs and ours:
            return f"trained for theory.group={theirs}, not {ours}"
        return f"trained for the {stored.theory.name}, not {settings.theory.name}"
    there, here = (len(made.theory.lattice) for made in (stored, settings))
    if there != here:
        return f"trained in {there}D, not in {here}D"
    part = settings.sampler.trains
    if stored.sampler.trains != part:
        what = "flow" if part == "flow" else "leapfrog"
        return f"is a run of sampler={stored.sampler.name}, which trains no {what}"
    if part == "flow" and stored.flow.name != settings.flow.name:
        return (
            f"holds flow={stored.flow.name}, not {settings.flow.name}: set flow={stored.flow.name}"
        )
    free = [f"{part}.{name}" for name in trained(settings).free]
    if (stored.precision == "fp64") == (settings.precision == "fp64"):
        free.append("precision")
    before, now = used(stored), used(settings)
    other = [
        key
        for key in now
        if key.partition(".")[0] in (part, "network", "precision") and key not in free
        if key in before and before[key] != now[key]
    ]
    if not other:
        return ""
    said = ", ".join(f"{key}={written(before[key])}, not {written(now[key])}" for key in other)
    return f"trained with {said}: set {' '.join(f'{key}={written(before[key])}' for key in other)}"


def written(value: Any) -> str:
    """A value as the command line has it."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
