"""Pair couplings of U(1) links in two dimensions: every plaquette is active in every layer.

A link touches two plaquettes, P_a and P_b. When the link moves, their sum s, the flux of the pair,
stays the same. Every second line of links along a direction divides all plaquettes into such pairs.
All fluxes s are frozen while the links of these lines move. So the map of each pair may depend on
the fluxes of all pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from gaugemc.arrays import Scalar
from gaugemc.flows.circle.centred import CENTRES, Map, back_through, maps_of, through
from gaugemc.flows.circle.circle import Angle
from gaugemc.flows.coupling import StripeCoupling, alternating, turned
from gaugemc.flows.flow import Flow
from gaugemc.groups import U1
from gaugemc.kernels import apart, together, wrap
from gaugemc.lattice import plane_plaquettes
from gaugemc.networks.pair_network import PairNetwork
from gaugemc.spaces import Links, total

PERIOD = 2
Field = Float[Array, "2 x y"]


class PairCoupling(StripeCoupling):
    """Moves every second line of links along `direction`; all other links are frozen.

    P_a goes through rounds of the four maps of `flows.circle.centred`, whose log-scales (bounded by
    `bound`) and shifts are functions of the frozen fluxes. The flow is smooth in all fluxes.

    The flow commutes with gauge transformations and with charge conjugation. The extents of the
    lattice must be even.
    """

    period = PERIOD
    network: PairNetwork
    rounds: int
    bound: float

    def forward(self, z: Field) -> tuple[Field, Scalar]:
        return self._move(z, through)

    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        return self._move(x, back_through)

    def _move(
        self, x: Field, through: Callable[[Angle, list[Map]], tuple[Angle, Angle]]
    ) -> tuple[Field, Scalar]:
        self.space.check_shape(x)
        x = turned(x, self.direction)
        plaquettes = plane_plaquettes(U1(), x, 0, 1)
        first, second = apart(plaquettes, 1, PERIOD)
        flux = wrap(first + jnp.roll(second, 1, axis=1))
        moved, log_slope = through(first, maps_of(flux, *self.network(flux), self.bound))
        links = wrap(x[0] + together([moved - first, jnp.zeros_like(first)], 1))
        return turned(jnp.stack([links, x[1]]), self.direction), total(log_slope)


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
