"""Products of small matrices."""

import jax.numpy as jnp
from jaxtyping import Array, Shaped

Matrix = Shaped[Array, "... n n"]


def matmul(a: Matrix, b: Matrix) -> Matrix:
    """The matrix product as a fused sum: for small matrices faster than XLA's batched dot."""
    return jnp.sum(a[..., :, :, None] * b[..., None, :, :], axis=-2)
