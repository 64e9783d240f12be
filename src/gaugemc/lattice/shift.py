"""Neighbours on a periodic lattice."""

import jax.numpy as jnp
from jaxtyping import Array, Shaped


def shift(field: Shaped[Array, "..."], axis: int, steps: int = 1) -> Shaped[Array, "..."]:
    """The field at n + steps * e_axis, as a field at n; lattice axes are leading, periodic."""
    return jnp.roll(field, -steps, axis)
