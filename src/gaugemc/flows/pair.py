"""Pair couplings of U(1) links in two dimensions: every plaquette is active in every layer.

A link touches two plaquettes, P_a and P_b. When the link moves, their sum s, the flux of the pair,
stays the same. Every second line of links along a direction divides all plaquettes into such pairs.
All fluxes s are frozen while the links of these lines move. So the map of each pair may depend on
the fluxes of all pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from gaugemc.arrays import Scalar
from gaugemc.flows.circle.circle import Angle
from gaugemc.flows.circle.moebius import moebius_mixture
from gaugemc.flows.coupling import StripeCoupling, alternating, turned
from gaugemc.flows.flow import Flow
from gaugemc.groups import U1
from gaugemc.kernels import apart, cosine, together, wrap
from gaugemc.lattice import plane_plaquettes
from gaugemc.networks.pair_network import PairNetwork
from gaugemc.spaces import Links, total

PERIOD = 2
CENTRES = ((0.0, 1), (0.5, 2), (1.0, 1), (0.5, 1))
"""Centres of a round of maps of P_a, as fractions of s, and their orders."""

Field = Float[Array, "2 x y"]


class PairCoupling(StripeCoupling):
    """Moves every second line of links along `direction`; all other links are frozen.

    P_a goes through rounds of four maps x -> c + M(x - c) + t. M is a Moebius map, whose inverse
    has a closed form. Log-scales of M (bounded by `bound`) and shifts t are functions of the frozen
    fluxes. The four centres c are 0, s / 2, s and s / 2: P_a vanishes at the first, P_b at the
    third, and P_a - P_b at s / 2.

    A flux s is an angle, so s / 2 stands for two angles, which are pi apart. A map of order 2 is
    the same about both of them. A map of order 1 is not, so its log-scale has a factor cos(s / 2),
    which changes its sign where s / 2 jumps by pi. The theory's own conditional density of
    P_a - s / 2 has the same factor in its concentration 2 beta cos(s / 2). With this factor the
    flow is smooth in all fluxes.

    The flow commutes with gauge transformations and with charge conjugation. The extents of the
    lattice must be even.
    """

    period = PERIOD
    network: PairNetwork
    rounds: int
    bound: float

    def forward(self, z: Field) -> tuple[Field, Scalar]:
        return self._move(z, _through)

    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        return self._move(x, _back_through)

    def _move(
        self, x: Field, through: Callable[[Angle, list[Map]], tuple[Angle, Angle]]
    ) -> tuple[Field, Scalar]:
        self.space.check_shape(x)
        x = turned(x, self.direction)
        plaquettes = plane_plaquettes(U1(), x, 0, 1)
        first, second = apart(plaquettes, 1, PERIOD)
        flux = wrap(first + jnp.roll(second, 1, axis=1))
        moved, log_slope = through(first, self._maps(flux))
        links = wrap(x[0] + together([moved - first, jnp.zeros_like(first)], 1))
        return turned(jnp.stack([links, x[1]]), self.direction), total(log_slope)

    def _maps(self, flux: Angle) -> list[Map]:
        """The maps of each pair, from the fluxes of all pairs."""
        outputs, shifts = self.network(flux)
        half = cosine(flux / 2)
        maps = []
        for (fraction, order), output, shift in zip(CENTRES * self.rounds, outputs, shifts):
            log_scale = self.bound * jnp.tanh(output / self.bound)
            odd = half if fraction == 0.5 and order == 1 else 1.0
            maps.append(Map(fraction * flux, order, odd * log_scale, shift))
        return maps


class Map(NamedTuple):
    """c + M(x - c) + t, with M the Moebius map of an order and a log-scale."""

    centre: Angle
    order: int
    log_scale: Angle
    shift: Angle


def _through(x: Angle, maps: list[Map]) -> tuple[Angle, Angle]:
    """x after all maps, not wrapped, and the log of the slope."""
    log_slopes = jnp.zeros_like(x)
    for centre, order, log_scale, shift in maps:
        y, log_slope = moebius_mixture(x - centre, jnp.exp(log_scale)[None], 1.0, order)
        x, log_slopes = centre + y + shift, log_slopes + log_slope
    return x, log_slopes


def _back_through(x: Angle, maps: list[Map]) -> tuple[Angle, Angle]:
    """The inverse of `_through`, and the log of its own slope."""
    log_slopes = jnp.zeros_like(x)
    for centre, order, log_scale, shift in reversed(maps):
        y, log_slope = moebius_mixture(x - shift - centre, jnp.exp(-log_scale)[None], 1.0, order)
        x, log_slopes = centre + y, log_slopes + log_slope
    return x, log_slopes


def pair_flow(
    key: Key[Array, ""],
    space: Links,
    *,
    n_layers: int = 24,
    rounds: int = 1,
    bound: float = 4.0,
    hidden: Sequence[int] = (8, 8),
    kernel_size: int = 3,
    compute_dtype: str | None = None,
) -> Flow:
    """Pair couplings in both directions, moved by one line from one pair of layers to the next.

    4 layers move every link once. The flow holds no lattice size, and can be used on any other
    lattice of even extents (volume transfer).

    Raises:
        ValueError: the space is not 2D U(1), a lattice extent is odd, n_layers is not a positive
            even number, or rounds is not positive.
    """
    if rounds < 1:
        raise ValueError(f"rounds {rounds}: must be positive")

    def layer(direction: int, key: Key[Array, ""]) -> PairCoupling:
        network = PairNetwork(
            key,
            rounds * len(CENTRES),
            rounds * len(CENTRES),
            hidden,
            kernel_size,
            space.real_dtype,
            None if compute_dtype is None else jnp.dtype(compute_dtype),
        )
        return PairCoupling(space, direction, network, rounds, bound)

    return alternating(key, n_layers, layer)
