"""Flux couplings of U(1) links in two dimensions: couplings that read the pair of a link.

As in `GaugeCoupling` every fourth line of links moves, and the network reads the plaquettes that
stay. But the moving link's two plaquettes have a sum that stays too, their flux s, the 1x2 loop
around both. Given s the theory's own density of the moving plaquette is known, but for the others:
exp(2 beta cos(s / 2) cos(P_a - s / 2)).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import equinox as eqx
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
from gaugemc.networks.stripes import PERIOD, StripeNetwork, UnrolledNetwork
from gaugemc.spaces import Links, total

SEEN = (0, 1, 2)
"""Columns that the network reads: the fluxes stand in column 0, frozen plaquettes in 1 and 2."""

Field = Float[Array, "2 x y"]


class FluxCoupling(StripeCoupling):
    """Moves every fourth line of links along `direction`; all other links are frozen.

    P_a goes through rounds of the four maps of `flows.circle.centred`, whose log-scales (bounded by
    `bound`) and shifts are functions of the fluxes s of all pairs and of the frozen plaquettes. The
    flow commutes with gauge transformations, is smooth, and has an inverse in closed form.
    """

    period = PERIOD
    network: StripeNetwork | UnrolledNetwork
    bound: float

    def forward(self, z: Field) -> tuple[Field, Scalar]:
        return self._move(z, through)

    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        return self._move(x, back_through)

    def fixed(self) -> FluxCoupling:
        if isinstance(self.network, UnrolledNetwork):
            return self
        return eqx.tree_at(lambda c: c.network, self, self.network.unrolled())

    def _move(
        self, x: Field, along: Callable[[Angle, list[Map]], tuple[Angle, Angle]]
    ) -> tuple[Field, Scalar]:
        self.space.check_shape(x)
        x = turned(x, self.direction)
        columns = apart(plane_plaquettes(U1(), x, 0, 1), 1, PERIOD)
        active, passive = columns[0], columns[-1]
        flux = wrap(active + jnp.roll(passive, 1, axis=1))
        outputs = self.network([flux, *columns[1:]])
        maps = maps_of(flux, outputs[::2], outputs[1::2], self.bound)
        moved, log_slope = along(active, maps)
        still = jnp.zeros_like(active)
        links = wrap(x[0] + together([moved - active, *[still] * (PERIOD - 1)], 1))
        return turned(jnp.stack([links, x[1]]), self.direction), total(log_slope)


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
        return FluxCoupling(space, direction, network, bound)

    return alternating(key, n_layers, layer)
