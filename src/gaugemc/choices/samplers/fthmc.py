"""sampler=fthmc."""

import math
from typing import Any

from gaugemc.choices.built import Sampler, Settings, Theory
from gaugemc.choices.option import SettingsError, must, option
from gaugemc.choices.samplers.jumps import refuse_jumps
from gaugemc.choices.samplers.trajectories import Trajectories


class FTHMCSampler(Trajectories):
    """Field-transformation HMC: HMC in the variables of a trained flow."""

    name: str = "fthmc"
    label = "FT-HMC"
    trains = "flow"
    force_scale: float = option(
        math.inf,
        "damp components of the force above this (fthmc); exact for every value",
        must(lambda value: value > 0, "must be positive"),
    )

    def refuse(self, settings: Settings) -> None:
        if settings.training.objective != "jump":
            return
        if (form := settings.loss.form) == "energy":
            raise SettingsError("loss.form", form, "is for sampler=l2hmc: choose plain or mixed")
        refuse_jumps(settings)

    def build(self, settings: Settings, theory: Theory, model: Any) -> Sampler:
        return self.trajectories(theory.pullback(model), self.force_scale)
