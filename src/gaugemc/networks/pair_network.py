"""The network of pair couplings: invariant fluxes of pairs to the parameters of their maps."""

from collections.abc import Sequence
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

from gaugemc.kernels import cosine, sine

Fluxes = Float[Array, "x pair"]
Outputs = Float[Array, "_ x pair"]


class PairNetwork(eqx.Module):
    """A small network at each pair that sees the fluxes s of the k x k pairs around it.

    The inputs are cos s_n and sin s_0 sin s_n. They stay the same when all fluxes change sign
    (charge conjugation), and so do the `even` outputs. Each `odd` output is a sum of sin s_n with
    even outputs as weights. All outputs are smooth and of period 2 pi in every flux. The network's
    weights know nothing of the lattice's size.
    """

    weights: tuple[Float[Array, "out in"], ...]
    biases: tuple[Float[Array, " out"], ...]
    n_even: int = eqx.field(static=True)
    reach: int = eqx.field(static=True)
    compute_dtype: np.dtype = eqx.field(static=True)

    def __init__(
        self,
        key: Key[Array, ""],
        n_even: int,
        n_odd: int,
        hidden: Sequence[int] = (8, 8),
        kernel_size: int = 3,
        dtype: DTypeLike = jnp.float32,
        compute_dtype: DTypeLike | None = None,
    ):
        """A network with `hidden` layers; last weights near zero.

        `dtype` is the type of parameters and outputs, `compute_dtype` of the arithmetic inside.
        """
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size {kernel_size}: must be odd and positive")
        window = kernel_size**2
        sizes = (2 * window, *hidden, n_even + n_odd * window)
        keys = jax.random.split(key, len(sizes) - 1)
        gains = [1.0] * len(hidden) + [0.02]
        self.weights = tuple(
            gain / float(np.sqrt(i)) * jax.random.normal(k, (o, i), dtype)
            for k, (i, o), gain in zip(keys, pairwise(sizes), gains)
        )
        self.biases = tuple(jnp.zeros(o, dtype) for o in sizes[1:])
        self.n_even = n_even
        self.reach = kernel_size // 2
        self.compute_dtype = jnp.dtype(compute_dtype or dtype)

    def __call__(self, fluxes: Fluxes) -> tuple[Outputs, Outputs]:
        """Even and odd outputs for each pair."""
        s, c = self._windows(sine(fluxes)), self._windows(cosine(fluxes))
        h = jnp.concatenate([c, s * sine(fluxes)]).astype(self.compute_dtype)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            weight, bias = weight.astype(h.dtype), bias.astype(h.dtype)
            h = jnp.tensordot(weight, h, 1) + bias[:, None, None]
            h = h if layer == len(self.weights) - 1 else jax.nn.silu(h)
        h = h.astype(fluxes.dtype)
        odd = h[self.n_even :].reshape(-1, *s.shape)
        return h[: self.n_even], jnp.sum(odd * s, axis=1)

    def _windows(self, field: Fluxes) -> Float[Array, "window x pair"]:
        """The field at the pairs around each pair."""
        steps = range(-self.reach, self.reach + 1)
        return jnp.stack([jnp.roll(field, (-i, -j), (0, 1)) for i in steps for j in steps])
