"""Samplers that make trajectories of HMC, tuned or as they are told."""

import math

from gaugemc.choices.built import HMC, Theory
from gaugemc.choices.choice import SamplerChoice
from gaugemc.choices.option import option


class Trajectories(SamplerChoice):
    """A sampler of trajectories."""

    has_trajectories = True
    tune: bool = option(True, "tune trajectory length and step size; without trajectories not")
    trajectory_length: float = option(1.0, "trajectory length where tune=false, and of jumps")
    n_steps: int = option(10, "steps of a trajectory where tune=false, and of jumps")

    @property
    def tuned(self) -> bool:
        return self.tune

    def trajectories(self, theory: Theory, force_scale: float = math.inf) -> HMC:
        """HMC with the trajectories of the settings, or where the tuner starts."""
        hmc = self.hmc(theory, force_scale)
        if self.tune:
            return hmc
        return hmc.with_steps(self.trajectory_length / self.n_steps, self.n_steps)
