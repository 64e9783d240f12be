"""Flows and leapfrogs as they are after training."""

from typing import TypeVar

import equinox as eqx
import jax
from jaxtyping import Array

Model = TypeVar("Model", bound=eqx.Module)


def disturbed(model: Model, key: Array, size: float = 0.1) -> Model:
    """The model with noise on all its parameters: far from the identity, as after training."""
    arrays, static = eqx.partition(model, eqx.is_inexact_array)
    leaves, tree = jax.tree.flatten(arrays)
    keys = jax.random.split(key, len(leaves))
    noisy = [a + size * jax.random.normal(k, a.shape, a.dtype) for a, k in zip(leaves, keys)]
    return eqx.combine(jax.tree.unflatten(tree, noisy), static)
