"""Layers of weights, dense or as circular convolutions, with a last layer that starts at zero."""

import itertools
from collections.abc import Sequence
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

Features = Float[Array, "_ ..."]


def activation(h: Features) -> Features:
    """h / sqrt(1 + h^2): smooth, so that energies are smooth, and without an exponential."""
    return h * jax.lax.rsqrt(1 + h * h)


class Perceptron(eqx.Module):
    """Dense layers of channels at every point of a periodic lattice that see k^dims neighbours.

    With dims = 0 there is one point, and the network is dense. Otherwise the network is a stack of
    circular convolutions: equivariant under translations, for lattices of any size. The time of the
    leapfrog layer enters as a bias. Outputs are zero until the network is trained.
    """

    weights: tuple[Float[Array, "_ _"], ...]
    biases: tuple[Float[Array, " _"], ...]
    time_weights: Float[Array, "_ 2"]
    dims: int
    kernel_size: int
    compute_dtype: np.dtype = eqx.field(static=True)

    def __init__(
        self,
        key: Key[Array, ""],
        channels: Sequence[int],
        dims: int,
        kernel_size: int = 3,
        dtype: DTypeLike = jnp.float32,
        compute_dtype: DTypeLike | None = None,
    ):
        """`channels` lists inputs, hidden channels of each layer (at least one), and outputs.

        `dtype` is the type of parameters and outputs, `compute_dtype` of the arithmetic inside.
        """
        if len(channels) < 3 or min(channels) < 1:
            raise ValueError(f"channels {list(channels)}: needs one hidden layer, numbers above 0")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size {kernel_size}: must be odd")
        *hidden_keys, time_key = jax.random.split(key, len(channels) - 1)
        points = kernel_size**dims
        weights = [
            jax.random.normal(k, (o, i * points), dtype) / float(np.sqrt(i * points))
            for k, (i, o) in zip(hidden_keys, pairwise(channels))
        ]
        self.weights = (*weights, jnp.zeros((channels[-1], channels[-2] * points), dtype))
        self.biases = tuple(jnp.zeros(o, dtype) for o in channels[1:])
        self.time_weights = jax.random.normal(time_key, (channels[1], 2), dtype) / 2
        self.dims = dims
        self.kernel_size = kernel_size
        self.compute_dtype = jnp.dtype(compute_dtype or dtype)

    def __call__(self, inputs: Sequence[Features], time: Float[Array, "2"]) -> Features:
        """From arrays (channels, *lattice), channels[0] in all, to (channels[-1], *lattice).

        The first layer is a sum over the arrays. If the arrays were stacked, XLA would make a loop
        with a branch for each number, and fuse everything that makes the inputs into that loop.
        """
        compute, dtype = self.compute_dtype, self.time_weights.dtype
        biases = (self.biases[0] + self.time_weights @ time, *self.biases[1:])
        for weight, bias in zip(self.weights, biases):
            weight = weight.reshape(len(bias), self.kernel_size**self.dims, -1).astype(compute)
            ends = np.cumsum([len(h) for h in inputs])[:-1]
            out = bias.astype(compute).reshape(-1, *(1,) * self.dims)
            for w, h in zip(jnp.split(weight, ends, axis=2), inputs):
                windows = self._neighbourhoods(h.astype(compute))
                out = out + jnp.einsum("oi,i...->o...", w.reshape(len(bias), -1), windows)
            inputs = (activation(out),)
        return out.astype(dtype)

    def _neighbourhoods(self, h: Features) -> Features:
        """The channels of all k^dims neighbours of each point, as channels of the point."""
        lattice, reach = h.shape[1:] if self.dims else (), self.kernel_size // 2
        padded = jnp.pad(h, [(0, 0), *((reach, reach) for _ in lattice)], mode="wrap")
        corners = itertools.product(range(self.kernel_size), repeat=self.dims)
        windows = [
            tuple(slice(start, start + length) for start, length in zip(corner, lattice))
            for corner in corners
        ]
        return jnp.concatenate([padded[:, *window] for window in windows])
