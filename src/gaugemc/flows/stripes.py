"""Plaquettes in stripes of period 4, and the network that reads the frozen ones."""

from collections.abc import Sequence
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

from gaugemc.groups import cosine, sine

PERIOD = 4
"""Columns 0 mod 4 are active (their links move), 3 passive (they change too), 1 and 2 frozen."""
_FROZEN = (1, 2)

Plaquettes = Float[Array, "x y"]
Features = Float[Array, "_ x cell"]
Kernel = Float[Array, "out in k k"]


class StripeNetwork(eqx.Module):
    """A circular convolutional network from the frozen plaquettes to the active columns.

    The same function as a stack of k x k circular convolutions on (cos, sin) of the plaquettes
    with all but the frozen ones masked (2101.08176), evaluated only where it is needed: an active
    column sees `radius * depth` columns on either side, so every layer keeps just that shrinking
    window, with the window's columns as features. A convolution is then one matrix product.
    Weights know nothing of the lattice's size.
    """

    kernels: tuple[Kernel, ...]
    biases: tuple[Float[Array, " out"], ...]
    compute_dtype: np.dtype = eqx.field(static=True)

    def __init__(
        self,
        key: Key[Array, ""],
        n_outputs: int,
        hidden: Sequence[int] = (8, 8),
        kernel_size: int = 3,
        dtype: DTypeLike = jnp.float32,
        compute_dtype: DTypeLike | None = None,
    ):
        """A network with `hidden` channels and `n_outputs` outputs; last weights near zero.

        `dtype` is that of parameters and outputs, `compute_dtype` that of the arithmetic inside.
        """
        if kernel_size < 3 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size {kernel_size}: must be odd and at least 3")
        channels = (2, *hidden, n_outputs)
        keys = jax.random.split(key, len(channels) - 1)
        gains = [1.0] * len(hidden) + [0.02]
        shapes = [(o, i, kernel_size, kernel_size) for i, o in pairwise(channels)]
        self.kernels = tuple(
            gain / float(np.sqrt(np.prod(shape[1:]))) * jax.random.normal(k, shape, dtype)
            for k, shape, gain in zip(keys, shapes, gains)
        )
        self.biases = tuple(jnp.zeros(shape[0], dtype) for shape in shapes)
        self.compute_dtype = jnp.dtype(compute_dtype or dtype)

    def __call__(self, plaquettes: Plaquettes) -> Float[Array, "out x cell"]:
        """Outputs for the active columns y = 0, 4, 8, ... of a lattice of plaquettes."""
        radius = self.kernels[0].shape[-1] // 2
        reach = radius * len(self.kernels)
        window = [c for c in range(-reach, reach + 1) if c % PERIOD in _FROZEN]
        h = _frozen_features(plaquettes, window).astype(self.compute_dtype)
        for layer, (kernel, bias) in enumerate(zip(self.kernels, self.biases)):
            reach -= radius
            columns = 2 * reach + 1
            weights = _unrolled(kernel.astype(self.compute_dtype), columns)
            if layer == 0:
                inputs = [c + reach + radius for c in window]
                weights = weights[:, :, np.asarray(inputs)]
            h = _convolve_rows(h, weights.reshape(*weights.shape[:2], -1))
            h = h + jnp.tile(bias.astype(h.dtype), columns)[:, None, None]
            h = h if layer == len(self.kernels) - 1 else jax.nn.silu(h)
        return h.astype(plaquettes.dtype)


def _frozen_features(plaquettes: Plaquettes, window: list[int]) -> Features:
    """(cos, sin) of the frozen columns around each active one, column by column."""
    cells = plaquettes.reshape(plaquettes.shape[0], -1, PERIOD)
    columns = jnp.stack([jnp.roll(cells[..., c % PERIOD], -(c // PERIOD), 1) for c in window])
    return jnp.stack([cosine(columns), sine(columns)], axis=1).reshape(-1, *columns.shape[1:])


def _unrolled(kernel: Kernel, columns: int) -> Float[Array, "k column_out column_in in"]:
    """A kernel's dense matrices over a window of columns, one for each row offset (Toeplitz)."""
    k = kernel.shape[-1]
    toeplitz = np.zeros((columns, columns + k - 1, k), np.float32)
    for c in range(columns):
        toeplitz[c, c : c + k, :] = np.eye(k)
    dense = jnp.einsum("oirc,xyc->rxoyi", kernel, toeplitz.astype(kernel.dtype))
    return dense.reshape(k, columns * kernel.shape[0], columns + k - 1, kernel.shape[1])


def _convolve_rows(h: Features, weights: Float[Array, "k out in"]) -> Features:
    """sum_r weights[r] h(x + r - k // 2): multiply first, shift the (few) results after."""
    k, n, _ = weights.shape
    products = jnp.einsum("ni,ixc->nxc", weights.reshape(k * n, -1), h)
    return sum(
        (
            jnp.roll(products[r * n : (r + 1) * n], k // 2 - r, axis=1)
            for r in range(k)
            if r != k // 2
        ),
        products[k // 2 * n : (k // 2 + 1) * n],
    )
