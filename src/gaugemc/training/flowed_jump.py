"""Jumps of what is smooth: energy and charge after a gradient flow, which move slowest."""

import math

import equinox as eqx
from jaxtyping import Array, Float

from gaugemc.arrays import Field, Scalar
from gaugemc.observables.clover_charge import CloverCharge
from gaugemc.observables.energy import Energy
from gaugemc.spaces import Links
from gaugemc.theories import GradientFlow, Theory, flow_kernel
from gaugemc.training.jump import Jump

_LARGEST_STEP = 0.1
"""Of the flow: there Luescher's scheme is far more precise than training asks for."""


class FlowedJump(Jump):
    """The squared change of the clover's energy, or of its charge, at a flow time (1006.4518)."""

    observable: Energy | CloverCharge = eqx.field(default=Energy(), static=True)
    time: float = eqx.field(default=0.5, static=True)
    """In units of the lattice spacing squared."""

    def __check_init__(self) -> None:
        if not 0 < self.time < math.inf:
            raise ValueError(f"time {self.time} of a flowed jump: must be positive and finite")

    def squared(self, theory: Theory, x: Field, y: Field) -> Scalar:
        before, after = (self._flowed(theory, theory.configuration(field)) for field in (x, y))
        return (after - before) ** 2

    def _flowed(self, theory: Theory, links: Field) -> Float[Array, ""]:
        assert isinstance(theory.space, Links)
        steps = math.ceil(self.time / _LARGEST_STEP - 1e-9)
        flow = GradientFlow(flow_kernel(theory.space), self.time / steps)
        return self.observable(theory.space, flow.in_steps(links, steps))
