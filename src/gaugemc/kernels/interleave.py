"""A field as every n-th line along an axis, and back."""

from collections.abc import Sequence

import jax.numpy as jnp

from gaugemc.arrays import Field


def apart(field: Field, axis: int, n: int) -> tuple[Field, ...]:
    """The n fields of every n-th line along an axis, whose extent is a multiple of n.

    The code splits a reshaped array. The reverse pass of strided slices would be slow.
    """
    shape = list(field.shape)
    shape[axis : axis + 1] = [shape[axis] // n, n]
    parts = jnp.split(field.reshape(shape), n, axis=axis + 1)
    return tuple(jnp.squeeze(part, axis + 1) for part in parts)


def together(parts: Sequence[Field], axis: int) -> Field:
    """The inverse of `apart`."""
    shape = list(parts[0].shape)
    shape[axis] *= len(parts)
    return jnp.stack(parts, axis=axis + 1).reshape(shape)
