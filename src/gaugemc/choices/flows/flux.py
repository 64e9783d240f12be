"""flow=flux."""

from gaugemc.choices.built import Flow, RandomKey, Settings, Wilson
from gaugemc.choices.flows.coupling import Rounds


class FluxFlow(Rounds):
    """Couplings that read the pair of a moving link, and the plaquettes that stay."""

    name: str = "flux"
    label = "flux flow"

    def build(self, settings: Settings, theory: Wilson, key: RandomKey) -> Flow:
        from gaugemc.flows import flux_flow

        return flux_flow(key, theory.space, **self.sizes(settings))
