"""Sums along an axis."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def sums_before(numbers: Float[Array, "... n"]) -> Float[Array, "... n"]:
    """For each number the sum of all numbers before it, along the last axis.

    A product with a triangle of ones: on CPUs a cumulative sum takes three times as long.
    """
    n = numbers.shape[-1]
    return jnp.matmul(numbers, jnp.asarray(np.triu(np.ones((n, n)), 1)), precision="highest")
