"""Neighbours on a periodic lattice."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Shaped

from gaugemc.mesh import in_parts


def shift(field: Shaped[Array, "..."], axis: int, steps: int = 1) -> Shaped[Array, "..."]:
    """The field at n + steps * e_axis, as a field at n; lattice axes are leading, periodic.

    A slice of the field with a halo: XLA makes vector loops of slices, scalar loops of jnp.roll.
    Across a cut, devices send their edges: XLA sees a single exchange in jnp.roll, and more in a
    halo.
    """
    if axis == 0 and in_parts():
        return jnp.roll(field, -steps, axis)
    halo = [(0, 0)] * field.ndim
    halo[axis] = (max(-steps, 0), max(steps, 0))
    extended = jnp.pad(field, halo, mode="wrap")
    first = max(steps, 0)
    return jax.lax.slice_in_dim(extended, first, first + field.shape[axis], axis=axis)
