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

Stage = tuple[int, Float[Array, "_ ..."], Float[Array, "_ ..."]]

_POWERS = 4
_BOUND = 10.0  # of log-scales: steeper maps would not invert in float32
_HARMONICS = 6


class Split(eqx.Module):
    """How the flux A of one part of a block lies about its centre, given the flux F of the block.

    An increasing map of the circle for each F: three mixtures of Moebius maps, of angles from the
    centre, with log-scales and log-weights that are polynomials in cos(F). It is smooth, and
    commutes with the change of all signs (charge conjugation).

    For two equal parts the centre is F / 2, and the map of the second part is the same. F / 2 is
    two angles on the circle, pi apart; log-scales of order 1 odd in cos(F / 2) and all others even
    give the same A for both. For unequal parts the centre is a learned odd function of F.
    """

    coefficients: Float[Array, "power output"]
    """Of Chebyshev polynomials in cos(F)."""
    centres: Float[Array, " harmonic"]
    """Of sin(k F) in the centre; none for equal parts."""

    def __init__(self, equal: bool, dtype: DTypeLike):
        """Nearly the identity; the terms of a mixture differ, or they would learn the same."""
        first = [-0.01 * k for _, terms in STAGES for k in range(1, terms + 1)]
        outputs = jnp.asarray([*first, *(0.0 for _ in first)], dtype)
        self.coefficients = jnp.zeros((_POWERS, len(outputs)), dtype).at[0].set(outputs)
        self.centres = jnp.zeros(0 if equal else _HARMONICS, dtype)

    @property
    def equal(self) -> bool:
        """Whether the two parts have as many plaquettes."""
        return self.centres.size == 0

    def centre(self, flux: Angle) -> Angle:
        """The centre of the map. For equal parts, flux + 2 pi has another centre than flux."""
        if self.equal:
            return flux / 2
        terms = (sine(k * flux) * b for k, b in enumerate(self.centres, start=1))
        return sum(terms, start=jnp.zeros_like(flux))

    def forward(self, angle: Angle, flux: Angle) -> tuple[Angle, Angle]:
        """The map of an angle from the centre, not wrapped, and the log of its slope."""
        return _mixtures(angle, self._stages(flux))

    def inverse(self, angle: Angle, flux: Angle) -> tuple[Angle, Angle]:
        """The inverse map, not wrapped, and the log of the slope of `forward` there."""
        stages = self._stages(flux)
        tolerance = 1024 * float(jnp.finfo(angle.dtype).eps)
        within = wrap(angle)  # the map fixes -pi and pi, so whole turns go through it unchanged
        x, log_slope = invert_monotone(lambda x: _mixtures(x, stages), within, tolerance)
        return x + (angle - within), log_slope

    def _stages(self, flux: Angle) -> list[Stage]:
        """Orders, scales and weights of the mixtures at each flux."""
        c = cosine(flux / 2)
        x = 2 * c * c - 1
        basis = [jnp.ones_like(x), x]
        while len(basis) < len(self.coefficients):
            basis.append(2 * x * basis[-1] - basis[-2])
        outputs = jnp.tensordot(self.coefficients, jnp.stack(basis), [[0], [0]])
        n_terms = sum(terms for _, terms in STAGES)
        stages, first = [], 0
        for order, terms in STAGES:
            log_scales = _BOUND * jnp.tanh(outputs[first : first + terms] / _BOUND)
            logits = outputs[n_terms + first : n_terms + first + terms]
            odd = c if self.equal and order == 1 else 1.0
            stages.append((order, jnp.exp(odd * log_scales), jax.nn.softmax(logits, axis=0)))
            first += terms
        return stages


def _mixtures(x: Angle, stages: list[Stage]) -> tuple[Angle, Angle]:
    total = jnp.zeros_like(x)
    for order, scales, weights in stages:
        x, log_slope = moebius_mixture(x, scales, weights, order)
        total = total + log_slope
    return x, total
