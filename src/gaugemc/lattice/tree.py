"""Links from plaquettes: two-dimensional U(1) on a spanning tree."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.kernels import sums_before


def links_from_plaquettes(angles: Float[Array, "L0 L1"]) -> Float[Array, "2 L0 L1"]:
    """Links with the given plaquette angles, whose sum is 0 modulo 2 pi; links of a tree are 0.

    Each link of direction 0 is minus the sum of the plaquettes before it in its column n_0. So each
    column leaves the sum of all its plaquettes, at its end. The last links of direction 1 add up
    these sums over the columns before them. All other links of direction 1 are 0. Sums are in
    float64, so that rounding does not grow with the lattice.
    """
    flux = angles.astype(jnp.float64)
    columns = sums_before(jnp.sum(flux, axis=1))
    return jnp.stack([-sums_before(flux), jnp.zeros_like(flux).at[:, -1].set(columns)])
