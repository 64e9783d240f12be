"""Batches that grow during training."""

import math
from typing import NamedTuple

import equinox as eqx

from gaugemc.training.objective import ReverseKL
from gaugemc.training.path_gradient import PathGradient

Batched = ReverseKL | PathGradient


class GrowingBatch(NamedTuple):
    """An objective whose batch doubles `doublings` times, at equal intervals, to its own size.

    Early gradients point the right way even if they are noisy. Late gradients must not be noisy. So
    early steps use small batches, which are cheap. Each size is compiled once.
    """

    objective: Batched
    doublings: int
    steps: int

    def at(self, step: int) -> tuple[Batched, int]:
        """The objective of a step, and the first later step with another one."""
        stages = self.doublings + 1
        stage = min(step * stages // self.steps, self.doublings)
        end = math.ceil((stage + 1) * self.steps / stages)
        batch = -(-self.objective.batch // 2 ** (self.doublings - stage))
        return eqx.tree_at(lambda o: o.batch, self.objective, batch), end
