"""Moebius maps of a plaquette about the angles that the flux of its pair singles out.

A link touches two plaquettes, P_a and P_b. When the link moves, their sum s, the flux of the pair,
stays the same. A round of maps x -> c + M(x - c) + t of P_a has four centres: 0, s / 2, s and
s / 2. P_a vanishes at the first, P_b at the third, and P_a - P_b at s / 2.

A flux s is an angle, so s / 2 stands for two angles, which are pi apart. A map of order 2 is the
same about both of them. A map of order 1 is not, so its log-scale has a factor cos(s / 2), which
changes its sign where s / 2 jumps by pi. The theory's own conditional density of P_a - s / 2 has
the same factor in its concentration 2 beta cos(s / 2). With this factor the maps are smooth in s.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.flows.circle.circle import Angle
from gaugemc.flows.circle.moebius import moebius_mixture
from gaugemc.kernels import cosine

CENTRES = ((0.0, 1), (0.5, 2), (1.0, 1), (0.5, 1))
"""Centres of a round of maps of P_a, as fractions of s, and their orders."""

Rows = Float[Array, "map ..."]


class Map(NamedTuple):
    """c + M(x - c) + t, with M the Moebius map of an order and a log-scale."""

    centre: Angle
    order: int
    log_scale: Angle
    shift: Angle


def through(x: Angle, maps: list[Map]) -> tuple[Angle, Angle]:
    """x after all maps, not wrapped, and the log of the slope."""
    log_slopes = jnp.zeros_like(x)
    for centre, order, log_scale, shift in maps:
        y, log_slope = moebius_mixture(x - centre, jnp.exp(log_scale)[None], 1.0, order)
        x, log_slopes = centre + y + shift, log_slopes + log_slope
    return x, log_slopes


def back_through(x: Angle, maps: list[Map]) -> tuple[Angle, Angle]:
    """The inverse of `through`, and the log of its own slope."""
    log_slopes = jnp.zeros_like(x)
    for centre, order, log_scale, shift in reversed(maps):
        y, log_slope = moebius_mixture(x - shift - centre, jnp.exp(-log_scale)[None], 1.0, order)
        x, log_slopes = centre + y, log_slopes + log_slope
    return x, log_slopes


def maps_of(flux: Angle, outputs: Rows, shifts: Rows, rounds: int, bound: float) -> list[Map]:
    """Rounds of maps: a log-scale below `bound` from each output of a network, and its shift."""
    half = cosine(flux / 2)
    maps = []
    for (fraction, order), output, shift in zip(CENTRES * rounds, outputs, shifts):
        log_scale = bound * jnp.tanh(output / bound)
        odd = half if fraction == 0.5 and order == 1 else 1.0
        maps.append(Map(fraction * flux, order, odd * log_scale, shift))
    return maps
