"""Samplers that are trained for expected squared jumps of links."""

from gaugemc.choices.built import Settings
from gaugemc.choices.option import SettingsError


def refuse_jumps(settings: Settings) -> None:
    """Raise SettingsError unless the loss of links has a part, and each part a meaning."""
    loss, theory = settings.loss, settings.theory
    dimensions, abelian = len(theory.lattice), theory.group == "U1"
    group = "U(1)" if abelian else f"SU({str(theory.group)[2:]})"
    charged = dimensions == (2 if abelian else 4)
    if loss.charge_weight > 0 and not charged:
        problem = f"{dimensions}D {group} has no such charge: set it to 0"
        raise SettingsError("loss.charge_weight", loss.charge_weight, problem)
    if loss.energy_weight > 0 and abelian:
        problem = f"the gradient flow of {group} is not in the loss: set it to 0"
        raise SettingsError("loss.energy_weight", loss.energy_weight, problem)
    for name in ("whitened", "square"):
        weight = getattr(settings.loss, f"{name}_weight")
        if weight > 0:
            problem = f"{settings.theory.name} has links, not vectors: set it to 0"
            raise SettingsError(f"loss.{name}_weight", weight, problem)
    parts = ["plaquette", *["charge"] * charged, *["energy"] * (not abelian), "distance"]
    if not any(getattr(loss, f"{part}_weight") for part in parts):
        others = " or ".join(f"loss.{part}_weight" for part in parts[1:])
        problem = f"give this or {others} a positive weight"
        raise SettingsError("loss.plaquette_weight", loss.plaquette_weight, problem)
