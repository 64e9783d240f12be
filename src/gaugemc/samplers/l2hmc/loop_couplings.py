"""Forces of loops for the generalised leapfrog, on links of any group in any dimension."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.arrays import Field, Scalar
from gaugemc.samplers.l2hmc.network import MomentumNetwork, Time
from gaugemc.samplers.l2hmc.updates import Outputs
from gaugemc.spaces import Links
from gaugemc.theories import Theory
from gaugemc.theories.wilson import gauge_force, has_kernels


class LoopCouplings(MomentumNetwork):
    """v' = v - (e / 2) [(1 + w_0) F + w_1 F_R], with trained constants w and nothing else.

    F is the theory's force, and F_R the force of 1 x 2 rectangles that have the coupling of the
    theory's plaquettes. Without w_1 a leapfrog of these kicks is a symplectic integrator of trained
    coefficients. w is in units of the theory's couplings, so that beta can be annealed.
    """

    weights: Float[Array, " loop"]

    def couplings(self, theory: Theory) -> tuple[Scalar, ...]:
        """Of the loops of the kick, as `Theory.loop_couplings` are those of the action."""
        own = theory.loop_couplings
        if not own:
            raise ValueError(f"{theory.name}: forces of loops need an action of loops alone")
        scale, *rectangles = self.weights.astype(jnp.float64)
        plaquette, *further = (b * (1 + scale) for b in own)
        if rectangles:
            further = [own[0] * rectangles[0] + sum(further)]
        return plaquette, *further

    def compiled_couplings(self, theory: Theory) -> tuple[Scalar, ...]:
        couplings = self.couplings(theory)
        assert isinstance(theory.space, Links)
        return couplings if has_kernels(theory.space, len(couplings)) else ()

    def force(self, theory: Theory, x: Field) -> Field:
        couplings = self.couplings(theory)
        assert isinstance(theory.space, Links)
        return gauge_force(theory.space, x, couplings)

    def __call__(self, x: Field, force: Field, time: Time) -> Outputs:
        return Outputs(None, None, None)
