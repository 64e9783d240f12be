"""Flux couplings of U(1) links in two dimensions: couplings that read the pair of a link.

As in `GaugeCoupling` every fourth line of links moves, and the network reads the plaquettes that
stay. But the moving link's two plaquettes have a sum that stays too, their flux s, the 1x2 loop
around both. Given s the theory's own density of the moving plaquette is known, but for the others:
exp(2 beta cos(s / 2) cos(P_a - s / 2)).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Key

from gaugemc.flows.circle.centred import CENTRES, Rows
from gaugemc.flows.circle.circle import Angle
from gaugemc.flows.coupling import alternating
from gaugemc.flows.flow import Flow
from gaugemc.flows.pair import CentredCoupling
from gaugemc.networks.stripes import PERIOD, StripeNetwork, UnrolledNetwork
from gaugemc.spaces import Links

SEEN = (0, 1, 2)
"""Columns that the network reads: the fluxes stand in column 0, frozen plaquettes in 1 and 2."""


class FluxCoupling(CentredCoupling):
    """Moves every fourth line of links along `direction`; all other links are frozen.

    Log-scales and shifts are functions of the fluxes of all pairs and of the frozen plaquettes.
    """

    period = PERIOD
    network: StripeNetwork | UnrolledNetwork

    def fixed(self) -> FluxCoupling:
        return dataclasses.replace(self, network=self.network.unrolled())

    def outputs(self, flux: Angle, columns: Sequence[Angle]) -> tuple[Rows, Rows]:
        found = self.network([flux, *columns[1:]])
        return found[::2], found[1::2]


def flux_flow(
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
    """Flux couplings in both directions, with stripes that shift from pair to pair of layers.

    8 layers move every link once, as in `gauge_flow`. The parameters know no lattice (volume
    transfer).

    Raises:
        ValueError: the space is not 2D U(1), a lattice extent is not a multiple of 4, n_layers
            is not a positive even number, or rounds is not positive.
    """
    if rounds < 1:
        raise ValueError(f"rounds {rounds}: must be positive")

    def layer(direction: int, key: Key[Array, ""]) -> FluxCoupling:
        network = StripeNetwork(
            key,
            2 * rounds * len(CENTRES),
            hidden,
            kernel_size,
            space.real_dtype,
            None if compute_dtype is None else jnp.dtype(compute_dtype),
            seen=SEEN,
        )
        return FluxCoupling(space, direction, network, rounds, bound)

    return alternating(key, n_layers, layer)
