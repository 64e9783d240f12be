"""Links from plaquettes: two-dimensional U(1) on a spanning tree."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def links_from_plaquettes(angles: Float[Array, "L0 L1"]) -> Float[Array, "2 L0 L1"]:
    """Links with the given plaquette angles, of sum 0 modulo 2 pi: all 0 on a spanning tree.

    Direction 0 carries the flux along each column n_0, the last links of direction 1 what is left
    of whole columns. Sums are in float64, so that rounding does not grow with the lattice.
    """
    flux = angles.astype(jnp.float64)
    below = jnp.cumsum(flux, axis=1) - flux
    columns = jnp.sum(flux, axis=1)
    links = jnp.stack([-below, jnp.zeros_like(flux)])
    return links.at[1, :, -1].set(jnp.cumsum(columns) - columns)
