"""Sweeps of stout layers, and their compiled twins: a call of a kernel for each sweep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int, Key

from gaugemc.arrays import Field, Scalar
from gaugemc.flows.flow import Chain, Flow, Repeat
from gaugemc.flows.stout.coefficients import Coefficients, numbers, weight_of_plaquettes
from gaugemc.flows.stout.network import CoefficientNetwork
from gaugemc.flows.stout.stout import Stout
from gaugemc.kernels import native
from gaugemc.spaces import Links

Keys = Key[Array, "..."] | None


class Sweep(Flow):
    """Layers that move every link once: each direction in turn, colour after colour.

    The compiled kernels serve constant coefficients of plaquettes. All else runs in XLA's code.
    """

    layers: Chain

    @property
    def space(self) -> Links:
        return cast(Links, self.layers.space)

    @property
    def _of_directions(self) -> list[Stout]:
        """The layers of each direction, as one layer with an axis of colours."""
        return [cast(Stout, cast(Repeat, colours).layers) for colours in self.layers.layers]

    @property
    def rho(self) -> Float[Array, "layer kind plane"]:
        """The coefficients of all layers, in their order."""
        return jnp.concatenate([layers.rho for layers in self._of_directions])

    @property
    def kernels(self) -> frozenset[str]:
        """The names of the compiled kernels that serve this sweep."""
        first = self._of_directions[0]
        served = not first.has_rectangles and first.network is None
        return self.space.kernels if served else frozenset()

    def on(self, lattice: tuple[int, ...]) -> Sweep:
        return Sweep(self.layers.on(lattice))

    def forward(self, z: Field) -> tuple[Field, Scalar]:
        self.space.check_shape(z)
        run = _in_layers
        if "stout" in self.kernels and z.dtype == self.space.dtype:
            run = native.twinned(_compiled, _in_layers)
        return run(self, z)

    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        return self.layers.inverse(x)


def _compiled(sweep: Sweep, z: Field) -> tuple[Field, Scalar]:
    return native.stout(z, sweep.rho[:, 0])


def _in_layers(sweep: Sweep, z: Field) -> tuple[Field, Scalar]:
    return sweep.layers.forward(z)


class Sweeps(Flow):
    """Sweep after sweep, with a compiled reverse pass for the force of FT-HMC."""

    repeat: Repeat

    @property
    def space(self) -> Links:
        return cast(Links, self.repeat.space)

    def on(self, lattice: tuple[int, ...]) -> Sweeps:
        return Sweeps(self.repeat.on(lattice))

    def forward(self, z: Field) -> tuple[Field, Scalar]:
        return self.repeat.forward(z)

    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        return self.repeat.inverse(x)

    @property
    def compiled_pull(self) -> Callable[[Field, Callable[[Field], Field]], Field] | None:
        return self._pull if "stout_pull" in cast(Sweep, self.repeat.layers).kernels else None

    def _pull(self, z: Field, force: Callable[[Field], Field]) -> Field:
        """Sweeps forth and back. A link moves once a sweep: both ends of a sweep say all of it."""
        arrays, static = eqx.partition(self.repeat.layers, eqx.is_array)

        def forth(z: Field, sweep: Sweep) -> tuple[Field, Field]:
            return native.stout(z, eqx.combine(sweep, static).rho[:, 0])[0], z

        def back(
            at_end: tuple[Field, Field], of_sweep: tuple[Sweep, Field]
        ) -> tuple[tuple[Field, Field], None]:
            sweep, start = eqx.combine(of_sweep[0], static), of_sweep[1]
            return (start, native.stout_pull(start, *at_end, sweep.rho[:, 0])), None

        x, starts = jax.lax.scan(forth, z, arrays)
        return jax.lax.scan(back, (x, force(x)), (arrays, starts), reverse=True)[0][1]


def stout_flow(
    space: Links,
    *,
    sweeps: int = 4,
    rho: float = 0.0,
    rectangles: bool = False,
    contraction: float = 0.9,
    key: Key[Array, ""] | None = None,
    hidden: Sequence[int] = (8, 8),
    kernel_size: int = 3,
    compute_dtype: DTypeLike | None = None,
) -> Sweeps:
    """Sweeps of stout layers, each of which moves all links once: 2 d layers a sweep.

    The parameters know no lattice: `flow.on(lattice)` is the flow for any other lattice that fits
    (volume transfer).

    Args:
        space: links of any group, in two or more dimensions, with even extents.
        sweeps: how often every link moves.
        rho: the coefficient of every plaquette before training. 0 is the identity; in smearing 0.1
            is usual.
        rectangles: whether 1 x 2 rectangles and, in three and more dimensions, chairs move links
            too, in 4 d layers a sweep. Extents must then be multiples of 4. Coefficients of
            rectangles and chairs are 0 before training.
        contraction: the bound of sum_k |rho_k| over the loops of a link, between 0 and 1. It is the
            factor by which each iteration of the inverse makes the error smaller, at least.
        key: with a key, every layer has a network, which makes coefficients of each link from
            frozen loops. Without one coefficients are constants.
        hidden: channels of the hidden layers of a network.
        kernel_size: extent of the convolutions of a network, odd.
        compute_dtype: type of the arithmetic inside networks.

    Raises:
        ValueError: an extent does not fit, sweeps is not positive, or rho or contraction is out of
            range.
    """
    if sweeps < 1:
        raise ValueError(f"sweeps {sweeps}: must be positive")
    if not 0 < contraction < 1:
        raise ValueError(f"contraction {contraction}: must lie between 0 and 1, without the ends")
    planes = len(space.lattice) - 1
    largest = contraction / (2 * planes)
    if not abs(rho) < largest:
        raise ValueError(
            f"rho {rho}: must be below {largest:.4g}, which is contraction={contraction} over"
            f" {2 * planes} plaquettes"
        )
    colours, kinds = 4 if rectangles else 2, len(numbers(planes + 1, rectangles))
    weights = jnp.zeros((sweeps, colours, kinds, planes), space.real_dtype)
    weight = weight_of_plaquettes(rho, planes, rectangles, contraction)
    weights = weights.at[..., 0, :].set(weight)

    def network(key: Key[Array, ""] | None) -> CoefficientNetwork | None:
        if key is None:
            return None
        options = {"hidden": hidden, "kernel_size": kernel_size, "compute_dtype": compute_dtype}
        return CoefficientNetwork(key, space, colours, kinds * planes, **options)

    @eqx.filter_vmap
    def sweep(weights: Float[Array, "colour kind plane"], keys: Keys) -> Sweep:
        layers = [subsets(weights, None if keys is None else keys[mu], mu) for mu in directions]
        return Sweep(Chain(tuple(layers)))

    def subsets(weights: Float[Array, "colour kind plane"], keys: Keys, direction: int) -> Repeat:
        @eqx.filter_vmap
        def layer(colour: Int[Array, ""], weights: Coefficients, key: Keys) -> Stout:
            return Stout(space, direction, colour, weights, contraction, network(key))

        return Repeat(layer(jnp.arange(colours), weights, keys), colours)

    directions = range(planes + 1)
    keys = None if key is None else jax.random.split(key, (sweeps, planes + 1, colours))
    return Sweeps(Repeat(sweep(weights, keys), sweeps, remat=True))
