"""flow=pair."""

from gaugemc.choices.built import Flow, RandomKey, Settings, Wilson
from gaugemc.choices.flows.coupling import Layered
from gaugemc.choices.option import option


class PairFlow(Layered):
    """Couplings that move a link by the pair of its plaquettes."""

    name: str = "pair"
    label = "pair flow"
    rounds: int = option(1, "rounds of four maps in each pair coupling")
    bound: float = option(4.0, "largest log-scale of a map of ncp or pair")

    def build(self, settings: Settings, theory: Wilson, key: RandomKey) -> Flow:
        from gaugemc.flows import pair_flow

        return pair_flow(
            key,
            theory.space,
            n_layers=self.n_layers,
            rounds=self.rounds,
            bound=self.bound,
            **settings.networks(),
        )
