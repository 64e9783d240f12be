"""flow=pair."""

from gaugemc.choices.built import Flow, RandomKey, Settings, Wilson
from gaugemc.choices.flows.coupling import Rounds


class PairFlow(Rounds):
    """Couplings that move a link by the pair of its plaquettes."""

    name: str = "pair"
    label = "pair flow"

    def build(self, settings: Settings, theory: Wilson, key: RandomKey) -> Flow:
        from gaugemc.flows import pair_flow

        return pair_flow(key, theory.space, **self.sizes(settings))
