"""sampler=flow."""

from typing import Any

from gaugemc.choices.built import Sampler, Settings, Theory
from gaugemc.choices.choice import SamplerChoice


class FlowSampler(SamplerChoice):
    """Independence Metropolis: draws of a trained flow, accepted or not."""

    name: str = "flow"
    label = "independence Metropolis"
    trains = "flow"

    def build(self, settings: Settings, theory: Theory, model: Any) -> Sampler:
        from gaugemc.samplers import Independence

        return Independence(theory, model)
