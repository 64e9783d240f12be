"""Pair couplings of U(1) links in two dimensions: every plaquette is active in every layer.

A link touches two plaquettes, P_a and P_b. When the link moves, their sum s, the flux of the pair,
stays the same. Every second line of links along a direction divides all plaquettes into such pairs.
All fluxes s are frozen while the links of these lines move. So the map of each pair may depend on
the fluxes of all pairs.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from gaugemc.arrays import Scalar
from gaugemc.flows.circle.centred import CENTRES, Map, Rows, back_through, maps_of, through
from gaugemc.flows.circle.circle import Angle
from gaugemc.flows.coupling import StripeCoupling, alternating, lines_moved, turned
from gaugemc.flows.flow import Flow
from gaugemc.groups import U1
from gaugemc.kernels import apart, wrap
from gaugemc.lattice import plane_plaquettes
from gaugemc.networks.pair_network import PairNetwork
from gaugemc.networks.stripes import StripeNetwork, UnrolledNetwork
from gaugemc.spaces import Links, total

PERIOD = 2
Field = Float[Array, "2 x y"]


class CentredCoupling(StripeCoupling):
    """Moves one in `period` lines of links by the fluxes of their pairs.

    P_a goes through rounds of the four maps of `flows.circle.centred`, whose log-scales are bounded
    by `bound`. The flow commutes with gauge transformations, is smooth, and has an inverse in
    closed form.
    """

    network: PairNetwork | StripeNetwork | UnrolledNetwork
    rounds: int
    bound: float

    @abc.abstractmethod
    def outputs(self, flux: Angle, columns: Sequence[Angle]) -> tuple[Rows, Rows]:
        """Log-scales before they are bounded, and shifts, of the maps of each pair.

        Args:
            flux: of each pair.
            columns: the plaquettes, of which the first and the last move.
        """

    def forward(self, z: Field) -> tuple[Field, Scalar]:
        return self._move(z, through)

    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        return self._move(x, back_through)

    def _move(
        self, x: Field, along: Callable[[Angle, list[Map]], tuple[Angle, Angle]]
    ) -> tuple[Field, Scalar]:
        self.space.check_shape(x)
        x = turned(x, self.direction)
        columns = apart(plane_plaquettes(U1(), x, 0, 1), 1, self.period)
        active = columns[0]
        flux = wrap(active + jnp.roll(columns[-1], 1, axis=1))
        maps = maps_of(flux, *self.outputs(flux, columns), self.rounds, self.bound)
        moved, log_slope = along(active, maps)
        x = lines_moved(x, moved - active, self.period)
        return turned(x, self.direction), total(log_slope)


class PairCoupling(CentredCoupling):
    """Moves every second line of links along `direction`; all other links are frozen.

    Log-scales and shifts are functions of the frozen fluxes. The flow commutes with charge
    conjugation, too. The extents of the lattice must be even.
    """

    period = PERIOD
    network: PairNetwork

    def outputs(self, flux: Angle, columns: Sequence[Angle]) -> tuple[Rows, Rows]:
        return self.network(flux)


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
