"""What the networks inside the generalised leapfrog are."""

import abc

import equinox as eqx
from jaxtyping import Array, Float

from gaugemc.arrays import Field, Scalar
from gaugemc.samplers.l2hmc.updates import Mask, Outputs
from gaugemc.spaces import Links
from gaugemc.theories import Theory
from gaugemc.theories.wilson import gauge_force

Time = Float[Array, "2"]


class MomentumNetwork(eqx.Module):
    """The momentum update: (s, t, q), any functions of position, force and time, and the force."""

    @abc.abstractmethod
    def __call__(self, x: Field, force: Field, time: Time) -> Outputs:
        """The outputs; `time` is (cos, sin) of 2 pi k / n in layer k of n."""

    def couplings(self, theory: Theory) -> tuple[Scalar, ...]:
        """b_i, if the whole kick is the force of loops with couplings of the network's own; or ().

        They are what `Theory.loop_couplings` is. Whole trajectories then run in `kernels.native`.
        """
        return ()

    def force(self, theory: Theory, x: Field) -> Field:
        """The force that the momentum update starts from: the theory's, or that of `couplings`."""
        couplings, space = self.couplings(theory), theory.space
        if couplings and isinstance(space, Links):
            return gauge_force(space, x, couplings)
        return theory.force(x)


class PositionNetwork(eqx.Module):
    """(s, t, q) of the position update: any function of frozen positions, momentum and time."""

    @abc.abstractmethod
    def __call__(self, x: Field, v: Field, frozen: Mask, time: Time) -> Outputs:
        """The outputs; x is 0 where it is not frozen."""
