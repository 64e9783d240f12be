"""Neighbours on a periodic lattice."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Shaped


def shift(field: Shaped[Array, "..."], axis: int, steps: int = 1) -> Shaped[Array, "..."]:
    """The field at n + steps * e_axis, as a field at n; lattice axes are leading, periodic.

    A slice of the field with a halo: XLA makes vector loops of slices, scalar loops of jnp.roll.
    """
    halo = [(0, 0)] * field.ndim
    halo[axis] = (max(-steps, 0), max(steps, 0))
    extended = jnp.pad(field, halo, mode="wrap")
    first = max(steps, 0)
    return jax.lax.slice_in_dim(extended, first, first + field.shape[axis], axis=axis)
