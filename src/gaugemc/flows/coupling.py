"""Gauge-equivariant coupling of U(1) links in two dimensions (2003.06413; 2101.08176)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from gaugemc.arrays import Scalar
from gaugemc.flows.circle.circle import Angle, CircleMap, Parameters
from gaugemc.flows.flow import Chain, Flow, Repeat, Translate
from gaugemc.groups import U1
from gaugemc.kernels import apart, together, wrap
from gaugemc.lattice import plane_plaquettes
from gaugemc.networks.stripes import PERIOD, StripeNetwork, UnrolledNetwork
from gaugemc.spaces import Links, is_u1_2d, total

Field = Float[Array, "2 x y"]


class StripeCoupling(Flow):
    """A coupling of 2D U(1) that moves one in `period` lines of links along `direction`."""

    period: ClassVar[int]
    space: Links = eqx.field(static=True)
    direction: int

    def __check_init__(self) -> None:
        if not is_u1_2d(self.space):
            raise ValueError(f"flow: needs 2D U(1) links, not {self.space.name}")
        for extent in self.space.lattice:
            if extent % self.period:
                below = max(extent // self.period * self.period, self.period)
                raise ValueError(
                    f"lattice {list(self.space.lattice)}: stripes of period {self.period} need"
                    f" multiples of {self.period}; nearest to {extent}:"
                    f" {sorted({below, below + self.period})}"
                )

    def on(self, lattice: tuple[int, ...]) -> StripeCoupling:
        """The same coupling: its parameters know no lattice."""
        return dataclasses.replace(self, space=dataclasses.replace(self.space, lattice=lattice))


class GaugeCoupling(StripeCoupling):
    """Moves every fourth line of links along `direction`; all other links are frozen.

    An active link's plaquette follows a circle map whose parameters are functions of frozen
    plaquettes. So the map commutes with gauge transformations. The extent of the lattice across
    the stripes must be a multiple of 4.
    """

    period = PERIOD
    circle: CircleMap
    network: StripeNetwork | UnrolledNetwork

    def forward(self, z: Field) -> tuple[Field, Scalar]:
        return self._move(z, self.circle.forward, 1)

    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        return self._move(x, self.circle.inverse, -1)

    def fixed(self) -> GaugeCoupling:
        return dataclasses.replace(self, network=self.network.unrolled())

    def _move(
        self, x: Field, circle: Callable[[Angle, Parameters], tuple[Angle, Angle]], sign: int
    ) -> tuple[Field, Scalar]:
        self.space.check_shape(x)
        x, log_det = _stripes_moved(circle, self.network, turned(x, self.direction))
        return turned(x, self.direction), sign * log_det


@eqx.filter_jit  # one trace for both directions
def _stripes_moved(
    circle: Callable[[Angle, Parameters], tuple[Angle, Angle]],
    network: StripeNetwork | UnrolledNetwork,
    x: Field,
) -> tuple[Field, Scalar]:
    """Active links are those of direction 0."""
    plaquettes = plane_plaquettes(U1(), x, 0, 1)
    columns = apart(plaquettes, 1, PERIOD)
    active = wrap(columns[0])
    moved, log_derivative = circle(active, network(columns))
    return lines_moved(x, moved - active, PERIOD), total(log_derivative)


def lines_moved(x: Field, change: Angle, period: int) -> Field:
    """x, where one in `period` lines of the links of direction 0 has changed."""
    still = jnp.zeros_like(change)
    links = wrap(x[0] + together([change, *[still] * (period - 1)], 1))
    return jnp.stack([links, x[1]])


def turned(x: Field, direction: int) -> Float[Array, "2 _ _"]:
    """The lattice reflected in its diagonal if the active links point in direction 1."""
    return x if direction == 0 else jnp.swapaxes(x[::-1], 1, 2)


def gauge_flow(
    key: Key[Array, ""],
    space: Links,
    circle: CircleMap,
    *,
    n_layers: int = 24,
    hidden: Sequence[int] = (8, 8),
    kernel_size: int = 3,
    compute_dtype: str | None = None,
) -> Flow:
    """NCP or spline couplings in both directions, with stripes that shift from pair to pair.

    Layer i moves the links of direction i mod 2 on the lines (i // 2) mod 4. So 8 layers move
    every link once (2112.01586). The parameters know no lattice: `flow.on(lattice)` is the flow for
    any other lattice whose extents are multiples of 4 (volume transfer).

    Raises:
        ValueError: the space is not 2D U(1), a lattice extent is not a multiple of 4, or n_layers
            is not a positive even number.
    """

    def layer(direction: int, key: Key[Array, ""]) -> GaugeCoupling:
        network = StripeNetwork(
            key,
            circle.n_parameters,
            hidden,
            kernel_size,
            space.real_dtype,
            None if compute_dtype is None else jnp.dtype(compute_dtype),
        )
        return GaugeCoupling(space, direction, circle, network)

    return alternating(key, n_layers, layer)


def alternating(
    key: Key[Array, ""], n_layers: int, layer: Callable[[int, Key[Array, ""]], Flow]
) -> Flow:
    """Layers of direction 0 and 1 in turns, moved by (1, 1) from pair to pair, and back at the end.

    Raises:
        ValueError: n_layers is not a positive even number.
    """
    if n_layers < 2 or n_layers % 2:
        raise ValueError(f"n_layers {n_layers}: must be a positive even number")

    @eqx.filter_vmap
    def pair(key: Key[Array, ""]) -> Chain:
        layers = tuple(layer(direction, k) for direction, k in enumerate(jax.random.split(key)))
        return Chain((*layers, Translate((1, 1))))

    n_pairs = n_layers // 2
    return Chain(
        (Repeat(pair(jax.random.split(key, n_pairs)), n_pairs), Translate((-n_pairs, -n_pairs)))
    )
