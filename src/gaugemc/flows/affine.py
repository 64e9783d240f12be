"""Affine coupling for non-compact fields (1605.08803; 2112.01586, section 1.3)."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from gaugemc.flows.flow import Chain, Flow
from gaugemc.theories import Euclidean, total

Field = Float[Array, "..."]
Scalar = Float[Array, ""]


class AffineCoupling(Flow):
    """x = z where `frozen`; elsewhere x = e^s z + t, where (s, t) is a function of the frozen part.

    A network computes s and t. |s| is bounded by `bound`.
    """

    frozen: Bool[Array, "..."]
    network: eqx.nn.MLP
    bound: float = 3.0

    def forward(self, z: Field) -> tuple[Field, Scalar]:
        s, t = self._scale_and_shift(z)
        return jnp.exp(s) * z + t, total(s)

    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        s, t = self._scale_and_shift(x)
        return (x - t) * jnp.exp(-s), -total(s)

    def _scale_and_shift(self, x: Field) -> tuple[Field, Field]:
        if x.shape != self.frozen.shape:
            raise ValueError(
                f"flow: is for fields of shape {list(self.frozen.shape)}, not {list(x.shape)}"
            )
        output = self.network(jnp.where(self.frozen, x, 0).reshape(-1))
        s, t = output.reshape(2, *x.shape)
        s = self.bound * jnp.tanh(s / self.bound)
        return jnp.where(self.frozen, 0, s), jnp.where(self.frozen, 0, t)


def _shrunk(leaf: Array) -> Array:
    return 0.01 * leaf


def affine_flow(
    key: Key[Array, ""], space: Euclidean, *, n_layers: int = 8, width: int = 32, depth: int = 2
) -> Flow:
    """Affine couplings with alternating halves of the components frozen (Real NVP)."""
    if not isinstance(space, Euclidean):
        raise ValueError(f"affine flow: needs vectors, not {space.name}")
    size = 1
    for extent in space.shape:
        size *= extent
    if size < 2:
        raise ValueError("affine flow: needs at least two components")
    parity = (jnp.arange(size) % 2).reshape(space.shape)
    layers = []
    for layer, k in enumerate(jax.random.split(key, n_layers)):
        network = eqx.nn.MLP(
            size, 2 * size, width, depth, jax.nn.silu, dtype=space.real_dtype, key=k
        )
        # A small head: the flow starts near the identity.
        network = eqx.tree_at(
            lambda n: n.layers[-1], network, replace_fn=lambda head: jax.tree.map(_shrunk, head)
        )
        layers.append(AffineCoupling(parity == layer % 2, network))
    return Chain(tuple(layers))
