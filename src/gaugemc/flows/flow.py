"""What a flow is: an invertible map of a space, with the log of its Jacobian."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

Field = Shaped[Array, "..."]
Scalar = Float[Array, ""]


class Flow(eqx.Module):
    """An invertible, differentiable map x = f(z) of a space to itself."""

    @abc.abstractmethod
    def forward(self, z: Field) -> tuple[Field, Scalar]:
        """x = f(z) and log |det df/dz| (float64)."""

    @abc.abstractmethod
    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        """z = f^-1(x) and log |det df^-1/dx| (float64)."""


class Chain(Flow):
    """Layers applied one after the other, first to last."""

    layers: tuple[Flow, ...]

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
