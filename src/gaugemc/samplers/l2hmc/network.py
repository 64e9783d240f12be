"""What the networks inside the generalised leapfrog are."""

import abc

import equinox as eqx
from jaxtyping import Array, Float

from gaugemc.arrays import Field, Scalar
from gaugemc.samplers.l2hmc.updates import Mask, Outputs
from gaugemc.theories import Theory

Time = Float[Array, "2"]


class MomentumNetwork(eqx.Module):
    """The momentum update: (s, t, q), any functions of position, force and time, and the force."""

    @abc.abstractmethod
    def __call__(self, x: Field, force: Field, time: Time) -> Outputs:
        """The outputs; `time` is (cos, sin) of 2 pi k / n in layer k of n."""

    def compiled_couplings(self, theory: Theory) -> tuple[Scalar, ...]:
        """The couplings of `kernels.native.force`, if the whole kick is this force; or ().

        Whole trajectories then run in `kernels.native`.
        """
        return ()

    def force(self, theory: Theory, x: Field) -> Field:
        """The force that the momentum update starts from: the theory's, or one of its own."""
        return theory.force(x)


class PositionNetwork(eqx.Module):
    """(s, t, q) of the position update: any function of frozen positions, momentum and time."""

    @abc.abstractmethod
    def __call__(self, x: Field, v: Field, frozen: Mask, time: Time) -> Outputs:
        """The outputs; x is 0 where it is not frozen."""
