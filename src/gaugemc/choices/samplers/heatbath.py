"""sampler=heatbath."""

from typing import Any

from gaugemc.choices.built import Sampler, Settings, Theory
from gaugemc.choices.choice import SamplerChoice
from gaugemc.choices.option import at_least, option


class HeatbathSampler(SamplerChoice):
    """Heatbath and overrelaxation of single links."""

    name: str = "heatbath"
    overrelaxation: int = option(4, "overrelaxation sweeps of each heatbath draw", at_least(0))

    def build(self, settings: Settings, theory: Theory, model: Any) -> Sampler:
        from gaugemc.samplers import Heatbath

        return Heatbath(theory, overrelaxation=self.overrelaxation)
