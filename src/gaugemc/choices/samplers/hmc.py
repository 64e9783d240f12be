"""sampler=hmc."""

from typing import Any

from gaugemc.choices.built import Sampler, Settings, Theory
from gaugemc.choices.samplers.trajectories import Trajectories


class HMCSampler(Trajectories):
    """Hybrid Monte Carlo."""

    name: str = "hmc"
    label = "HMC"
    vectors = True

    @property
    def is_baseline(self) -> bool:
        return self.tune

    def build(self, settings: Settings, theory: Theory, model: Any) -> Sampler:
        return self.trajectories(theory)
