"""sampler=winding."""

from typing import Any

from gaugemc.choices.built import Sampler, Settings, Theory
from gaugemc.choices.samplers.trajectories import Trajectories


class WindingSampler(Trajectories):
    """HMC, and after each trajectory an instanton update."""

    name: str = "winding"
    label = "HMC + instantons"

    def build(self, settings: Settings, theory: Theory, model: Any) -> Sampler:
        from gaugemc.samplers import Compose, Winding

        return Compose((self.trajectories(theory), Winding(theory)))
