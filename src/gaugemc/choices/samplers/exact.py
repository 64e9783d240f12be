"""sampler=exact."""

from typing import Any

from gaugemc.choices.built import Sampler, Settings, Theory
from gaugemc.choices.choice import SamplerChoice


class ExactSampler(SamplerChoice):
    """Independent configurations of 2D U(1)."""

    name: str = "exact"
    label = "exact sampler"

    def build(self, settings: Settings, theory: Theory, model: Any) -> Sampler:
        from gaugemc.samplers import ExactU1

        return ExactU1(theory)
