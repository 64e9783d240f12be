"""Non-compact projection: a mixture of Moebius maps of the circle (2002.02428; 2003.06413)."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.flows.circle.circle import Angle, CircleMap, Parameters, invert_monotone
from gaugemc.flows.circle.moebius import inverse_of_two, moebius_mixture
from gaugemc.kernels import wrap


class NCP(CircleMap):
    """f(x) = mean_k 2 atan(e^{s_k} tan(x/2)) + t, with parameters s_1 .. s_K, t.

    Each |s_k| is bounded by `bound`: steeper maps would make the force of HMC stiff.
    """

    components: int = 2
    bound: float = 4.0

    @property
    def n_parameters(self) -> int:
        return self.components + 1

    def forward(self, x: Angle, parameters: Parameters) -> tuple[Angle, Angle]:
        y, log_derivative = self._mixture(x, self._scales(parameters))
        return wrap(y + parameters[-1]), log_derivative

    def inverse(self, y: Angle, parameters: Parameters) -> tuple[Angle, Angle]:
        scales = self._scales(parameters)
        tolerance = 64 * float(jnp.finfo(y.dtype).eps)
        y = wrap(y - parameters[-1])
        near = inverse_of_two(y, scales) if self.components == 2 else None
        x, log_derivative = invert_monotone(lambda x: self._mixture(x, scales), y, tolerance, near)
        return wrap(x), log_derivative

    def _scales(self, parameters: Parameters) -> Float[Array, "component ..."]:
        return jnp.exp(self.bound * jnp.tanh(parameters[:-1] / self.bound))

    def _mixture(self, x: Angle, scales: Float[Array, "component ..."]) -> tuple[Angle, Angle]:
        return moebius_mixture(x, scales, 1 / self.components)
