"""A conditional map of the circle: how the flux of a block is split between its parts."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from gaugemc.flows.circle import Angle, invert_monotone
from gaugemc.flows.moebius import moebius_mixture
from gaugemc.groups import cosine, sine, wrap

STAGES = ((1, 2), (2, 2), (1, 4))
"""Order and number of terms of the Moebius mixtures, applied one after the other."""

Stage = tuple[int, Float[Array, "term ..."], Float[Array, "term ..."]]

_POWERS = 4
_HARMONICS = 6


class Split(eqx.Module):
    """The flux A(a | F) of one part of a block whose flux is F, from a uniform angle a.

    The map is an increasing map of the circle for each F: three mixtures of Moebius maps, about a
    centre. Log-scales and log-weights are polynomials in c^2, c = cos(F / 2). It is smooth and
    periodic in a and F, and commutes with the change of all signs (charge conjugation).

    For two equal parts the centre is F / 2, and the map of the second part is the same. F / 2 jumps
    by pi where F does by 2 pi; log-scales of order 1 odd in c and all others even make the map
    smooth there. For unequal parts the centre is a learned odd function of F.
    """

    coefficients: Float[Array, "power output"]
    centre: Float[Array, " harmonic"]
    """Coefficients of sin(k F); none for equal parts."""

    def __init__(self, equal: bool, dtype: DTypeLike):
        """Nearly the identity; the terms of a mixture differ, or they would learn the same."""
        first = [-0.01 * k for order, terms in STAGES for k in range(1, terms + 1)]
        outputs = jnp.asarray([*first, *(0.0 for _ in first)], dtype)
        self.coefficients = jnp.zeros((_POWERS, len(outputs)), dtype).at[0].set(outputs)
        self.centre = jnp.zeros(0 if equal else _HARMONICS, dtype)

    def forward(self, a: Angle, flux: Angle) -> tuple[Angle, Angle]:
        """A in [-pi, pi), and log dA/da, elementwise."""
        centre, stages = self._conditioned(flux)
        y, log_slope = _mixtures(wrap(a - centre), stages)
        return wrap(y + centre), log_slope

    def inverse(self, part: Angle, flux: Angle) -> tuple[Angle, Angle]:
        """The a in [-pi, pi) of a part A, and log dA/da there."""
        centre, stages = self._conditioned(flux)
        tolerance = 1024 * float(jnp.finfo(part.dtype).eps)
        x, log_slope = invert_monotone(
            lambda x: _mixtures(x, stages), wrap(part - centre), tolerance
        )
        return wrap(x + centre), log_slope

    def _conditioned(self, flux: Angle) -> tuple[Angle, list[Stage]]:
        """The centre, and the mixtures' orders, scales and weights, at each flux."""
        c = cosine(flux / 2)
        equal = self.centre.size == 0
        x = 2 * c * c - 1
        basis = [jnp.ones_like(x), x]
        while len(basis) < len(self.coefficients):
            basis.append(2 * x * basis[-1] - basis[-2])
        outputs = jnp.tensordot(self.coefficients, jnp.stack(basis), [[0], [0]])
        n_terms = sum(terms for _, terms in STAGES)
        stages, first = [], 0
        for order, terms in STAGES:
            log_scales = outputs[first : first + terms]
            logits = outputs[n_terms + first : n_terms + first + terms]
            odd = c if equal and order == 1 else 1.0
            stages.append((order, jnp.exp(odd * log_scales), jax.nn.softmax(logits, axis=0)))
            first += terms
        if equal:
            return flux / 2, stages
        harmonics = (sine(k * flux) * b for k, b in enumerate(self.centre, start=1))
        return sum(harmonics, start=jnp.zeros_like(flux)), stages


def _mixtures(x: Angle, stages: list[Stage]) -> tuple[Angle, Angle]:
    total = jnp.zeros_like(x)
    for order, scales, weights in stages:
        x, log_slope = moebius_mixture(x, scales, weights, order)
        total = total + log_slope
    return x, total
