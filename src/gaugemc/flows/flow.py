"""What a flow is: an invertible map of a space, with the log of its Jacobian."""

import abc
import dataclasses
from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp

from gaugemc.arrays import Field, Scalar
from gaugemc.spaces import Space


class Flow(eqx.Module):
    """An invertible, differentiable map x = f(z) of a space to itself."""

    space = cast(Space | None, None)
    """The space that the flow maps to itself, a static field; None for a flow of any space."""

    @abc.abstractmethod
    def forward(self, z: Field) -> tuple[Field, Scalar]:
        """x = f(z) and log |det df/dz| (float64)."""

    @abc.abstractmethod
    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        """z = f^-1(x) and log |det df^-1/dx| (float64)."""

    def on(self, lattice: tuple[int, ...]) -> "Flow":
        """The same flow for another lattice (volume transfer); itself, if it knows no lattice."""
        return self

    def fixed(self) -> "Flow":
        """The same map for parameters that no longer change.

        Whatever follows from the parameters alone is computed here, once, and not at every use.
        """
        return self


class Chain(Flow):
    """Layers applied one after the other, first to last."""

    layers: tuple[Flow, ...]

    @property
    def space(self) -> Space | None:
        return next((layer.space for layer in self.layers if layer.space is not None), None)

    def on(self, lattice: tuple[int, ...]) -> "Chain":
        return Chain(tuple(layer.on(lattice) for layer in self.layers))

    def forward(self, z: Field) -> tuple[Field, Scalar]:
        total = jnp.zeros((), jnp.float64)
        for layer in self.layers:
            z, log_det = layer.forward(z)
            total = total + log_det
        return z, total

    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        total = jnp.zeros((), jnp.float64)
        for layer in reversed(self.layers):
            x, log_det = layer.inverse(x)
            total = total + log_det
        return x, total

    def fixed(self) -> "Chain":
        return Chain(tuple(layer.fixed() for layer in self.layers))


class Repeat(Flow):
    """The same kind of layer several times: one flow whose arrays have a leading axis of layers.

    The layer is compiled once and scanned, so depth costs no compile time. With `remat` a reverse
    pass computes each layer again, and holds the field between layers alone: memory for time.
    """

    layers: Flow
    times: int
    remat: bool = eqx.field(static=True, default=False)

    @property
    def space(self) -> Space | None:
        return self.layers.space

    def on(self, lattice: tuple[int, ...]) -> "Repeat":
        return dataclasses.replace(self, layers=self.layers.on(lattice))

    def forward(self, z: Field) -> tuple[Field, Scalar]:
        return self._scan(z, "forward", reverse=False)

    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        return self._scan(x, "inverse", reverse=True)

    def fixed(self) -> "Repeat":
        return Repeat(_fixed(self.layers), self.times, self.remat)

    @eqx.filter_jit  # one trace for all programs
    def _scan(self, x: Field, direction: str, reverse: bool) -> tuple[Field, Scalar]:
        arrays, static = eqx.partition(self.layers, eqx.is_array)

        def one(carry: tuple[Field, Scalar], layer: Flow) -> tuple[tuple[Field, Scalar], None]:
            x, log_det = getattr(eqx.combine(layer, static), direction)(carry[0])
            return (x, carry[1] + log_det), None

        start = (x, jnp.zeros((), jnp.float64))
        one = jax.checkpoint(one) if self.remat else one
        return jax.lax.scan(one, start, arrays, length=self.times, reverse=reverse)[0]


@eqx.filter_jit  # one program, and not one for each operation
@eqx.filter_vmap
def _fixed(layers: Flow) -> Flow:
    return layers.fixed()


class Translate(Flow):
    """The links of the lattice moved by a whole number of sites; no Jacobian."""

    sites: tuple[int, ...]

    def forward(self, z: Field) -> tuple[Field, Scalar]:
        return self._roll(z, -1), jnp.zeros((), jnp.float64)

    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        return self._roll(x, 1), jnp.zeros((), jnp.float64)

    def _roll(self, x: Field, sign: int) -> Field:
        if x.ndim <= len(self.sites):
            raise ValueError(
                f"flow: needs {len(self.sites)}D links, not a field of shape {list(x.shape)}"
            )
        steps = tuple(sign * s for s in self.sites)
        return jnp.roll(x, steps, tuple(range(1, 1 + len(steps))))
