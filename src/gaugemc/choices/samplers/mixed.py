"""sampler=mixed."""

from typing import Any

from gaugemc.choices.built import Sampler, Settings, Theory
from gaugemc.choices.option import fraction, option
from gaugemc.choices.samplers.fthmc import FTHMCSampler


class MixedSampler(FTHMCSampler):
    """Draws of FT-HMC and independence proposals of the same flow, in a random order."""

    name: str = "mixed"
    label = "FT-HMC + independence"
    independence: float = option(
        0.5, "probability that a draw is an independence proposal and not fthmc (mixed)", fraction
    )

    def build(self, settings: Settings, theory: Theory, model: Any) -> Sampler:
        from gaugemc.flows import Chain
        from gaugemc.samplers import Compose, Independence

        # In the flow's variables its own proposals are those of the identity.
        independence = Independence(theory.pullback(model), Chain(()))
        hmc = super().build(settings, theory, model)
        return Compose((hmc, independence), (1 - self.independence, self.independence))
