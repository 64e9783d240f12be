"""Plaquettes in stripes of period 4, and the network that reads the frozen ones."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

from gaugemc.kernels import cosine, sine
from gaugemc.kernels.branch import alone

PERIOD = 4
"""Columns 0 mod 4 are active (their links move), 3 passive (they change too), 1 and 2 frozen."""
FROZEN = (1, 2)

Columns = Sequence[Float[Array, "x cell"]]
Features = Float[Array, "_ x cell"]
Kernel = Float[Array, "out in k k"]


class StripeNetwork(eqx.Module):
    """A circular convolutional network from the columns that are frozen to the active ones.

    The network is a stack of k x k circular convolutions on (cos, sin) of the columns `seen`, by
    default the frozen plaquettes, where all other columns are masked (2101.08176). The convolutions
    are evaluated only where their results are needed. An active column sees `radius * depth`
    columns on either side, and this window shrinks from layer to layer. Each layer keeps its window
    alone, with the window's columns as features. A convolution is then one matrix product. Weights
    know nothing of the lattice's size.
    """

    kernels: tuple[Kernel, ...]
    biases: tuple[Float[Array, " out"], ...]
    compute_dtype: np.dtype = eqx.field(static=True)
    seen: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        key: Key[Array, ""],
        n_outputs: int,
        hidden: Sequence[int] = (8, 8),
        kernel_size: int = 3,
        dtype: DTypeLike = jnp.float32,
        compute_dtype: DTypeLike | None = None,
        seen: tuple[int, ...] = FROZEN,
    ):
        """A network with `hidden` channels and `n_outputs` outputs; last weights near zero.

        `dtype` is the type of parameters and outputs, `compute_dtype` of the arithmetic inside.
        """
        if kernel_size < 3 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size {kernel_size}: must be odd and at least 3")
        channels = (2, *hidden, n_outputs)
        keys = jax.random.split(key, len(channels) - 1)
        gains = [1.0] * len(hidden) + [0.02]
        shapes = [(o, i, kernel_size, kernel_size) for i, o in pairwise(channels)]
        self.kernels = tuple(
            gain / math.sqrt(math.prod(shape[1:])) * jax.random.normal(k, shape, dtype)
            for k, shape, gain in zip(keys, shapes, gains)
        )
        self.biases = tuple(jnp.zeros(shape[0], dtype) for shape in shapes)
        self.compute_dtype = jnp.dtype(compute_dtype or dtype)
        self.seen = seen

    def __call__(self, columns: Columns) -> Float[Array, "out x cell"]:
        """Outputs for the active columns y = 0, 4, 8, ... of a lattice of plaquettes apart."""
        return self.unrolled()(columns)

    def unrolled(self) -> UnrolledNetwork:
        """The network as matrices."""
        reach = self._reach
        matrices, biases = [], []
        for kernel, bias in zip(self.kernels, self.biases):
            reach -= kernel.shape[-1] // 2
            width = 2 * reach + 1
            matrices.append(_unrolled(kernel.astype(self.compute_dtype), width))
            biases.append(jnp.tile(bias.astype(self.compute_dtype), width))
        seen = [c + self._reach for c in self._window]
        matrices[0] = matrices[0][:, :, np.asarray(seen)]
        flat = tuple(matrix.reshape(*matrix.shape[:2], -1) for matrix in matrices)
        return UnrolledNetwork(flat, tuple(biases), tuple(self._window))

    @property
    def _reach(self) -> int:
        return self.kernels[0].shape[-1] // 2 * len(self.kernels)

    @property
    def _window(self) -> list[int]:
        return [c for c in range(-self._reach, self._reach + 1) if c % PERIOD in self.seen]


class UnrolledNetwork(eqx.Module):
    """What evaluates a `StripeNetwork`: for each layer a matrix for each shift of rows."""

    matrices: tuple[Float[Array, "k _ _"], ...]
    biases: tuple[Float[Array, " _"], ...]
    window: tuple[int, ...] = eqx.field(static=True)

    def unrolled(self) -> UnrolledNetwork:
        """The network itself."""
        return self

    def __call__(self, columns: Columns) -> Float[Array, "out x cell"]:
        h = _frozen_features(columns, self.window).astype(self.biases[0].dtype)
        for layer, (matrices, bias) in enumerate(zip(self.matrices, self.biases)):
            h = _convolve_rows(h, matrices) + bias[:, None, None]
            h = h if layer == len(self.matrices) - 1 else jax.nn.silu(h)
        return h.astype(columns[0].dtype)


def _frozen_features(columns: Columns, window: Sequence[int]) -> Features:
    """(cos, sin) of the columns seen around each active one, column by column."""
    near = jnp.stack([jnp.roll(columns[c % PERIOD], -(c // PERIOD), 1) for c in window])
    return jnp.stack([cosine(near), sine(near)], axis=1).reshape(-1, *near.shape[1:])


def _unrolled(kernel: Kernel, columns: int) -> Float[Array, "k column_out column_in in"]:
    """A kernel's dense matrices over a window of columns, one for each row offset (Toeplitz)."""
    k = kernel.shape[-1]
    toeplitz = np.zeros((columns, columns + k - 1, k), np.float32)
    for c in range(columns):
        toeplitz[c, c : c + k, :] = np.eye(k)
    dense = jnp.einsum("oirc,xyc->rxoyi", kernel, toeplitz.astype(kernel.dtype))
    return dense.reshape(k, columns * kernel.shape[0], columns + k - 1, kernel.shape[1])


def _convolve_rows(h: Features, weights: Float[Array, "k out in"]) -> Features:
    """sum_r weights[r] h(x + r - k // 2): inputs or products are shifted, whichever are fewer."""
    k, n_out, n_in = weights.shape
    shifts = [k // 2 - r for r in range(k)]
    if n_in < n_out:
        rows = jnp.concatenate([_rolled(h, shift) for shift in shifts])
        return jnp.einsum("rni,rixc->nxc", weights, rows.reshape(k, *h.shape))
    products = jnp.einsum("ni,ixc->nxc", weights.reshape(k * n_out, n_in), h)

    def put_together(products: Features) -> Features:
        rows = jnp.split(products, k)  # not slices: their reverse pass pads and adds
        return functools.reduce(jnp.add, (_rolled(row, shift) for row, shift in zip(rows, shifts)))

    # Alone: the reverse pass would otherwise transpose this sum in the loop that makes the sum.
    return alone(put_together, products)


def _rolled(h: Features, rows: int) -> Features:
    return jnp.roll(h, rows, axis=1) if rows else h
