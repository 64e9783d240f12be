"""Forces of plaquettes with trained constants, for the leapfrog of two-dimensional U(1)."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.arrays import Field, Scalar
from gaugemc.groups import U1
from gaugemc.kernels import cosine, sine
from gaugemc.lattice import plane_plaquettes, shift
from gaugemc.samplers.l2hmc.loop_networks import Fluxes, link_derivative
from gaugemc.samplers.l2hmc.network import MomentumNetwork, Time
from gaugemc.samplers.l2hmc.updates import Outputs
from gaugemc.theories import Theory


class FluxSeries(MomentumNetwork):
    """v' = v - (e / 2) (F + b dA / dx), with F the theory's force, b its coupling of plaquettes and

        A = sum_P sum_k w_k (1 - cos(k x_P)) / k + u sum_PP' sin x_P sin x_P'

    of trained constants w and u; neighbours P and P' share a link. w is any even function of the
    flux: a series learns to lower a barrier between sectors, which is narrow, and a small
    perceptron of cos x_P and sin x_P hardly does. With u it has |F|^2, by which the errors of a
    leapfrog fall by two orders (Takahashi and Imada 1984). The constants are in units of b, so that
    beta can be annealed.
    """

    weights: Float[Array, " harmonic"]
    interaction: Float[Array, ""]

    def slope(self, fluxes: Fluxes) -> Fluxes:
        """dA / dx_P; the sum over k by Clenshaw's recurrence."""
        cos, sin = cosine(fluxes), sine(fluxes)
        now = later = jnp.zeros_like(fluxes)
        for weight in reversed(self.weights):
            now, later = weight + 2 * cos * now - later, now
        around = shift(sin, 0) + shift(sin, 1) + shift(sin, 0, -1) + shift(sin, 1, -1)
        return sin * now + self.interaction * cos * around

    def coupling(self, theory: Theory) -> Scalar:
        """b."""
        if not theory.loop_couplings:
            raise ValueError(f"{theory.name}: forces of plaquettes need an action of loops alone")
        return theory.loop_couplings[0]

    def compiled_couplings(self, theory: Theory) -> tuple[Scalar, ...]:
        if len(theory.compiled_couplings) != 1:
            return ()
        b = self.coupling(theory)
        return b, b * self.interaction, *(b * self.weights)

    def force(self, theory: Theory, x: Field) -> Field:
        slope = self.slope(plane_plaquettes(U1(), x, 0, 1))
        return theory.force(x) + link_derivative(self.coupling(theory).astype(x.dtype) * slope)

    def __call__(self, x: Field, force: Field, time: Time) -> Outputs:
        return Outputs(None, None, None)
