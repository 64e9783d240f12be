"""Blocks of a lattice: the links between their corners."""

import functools

import jax.numpy as jnp
from jaxtyping import Array, Shaped

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.kernels import apart, together


def block_links(
    group: Group, links: Shaped[Array, "2 ..."], block: tuple[int, int]
) -> Shaped[Array, "2 ..."]:
    """The links of the coarse lattice of corners: products of links along the sides of blocks.

    `links` has shape (2, L_0, L_1, *link_shape); the result has L_mu / block[mu] sites along mu.
    """
    sides = []
    for mu, nu in ((0, 1), (1, 0)):
        along = apart(apart(links[mu], nu, block[nu])[0], mu, block[mu])
        sides.append(functools.reduce(group.multiply, along))
    return jnp.stack(sides)


def with_corners(field: Field, block: tuple[int, int], corners: Field) -> Field:
    """A field on the sites of two dimensions, with other values at the corners of blocks."""
    rows = apart(field, 0, block[0])
    sites = apart(rows[0], 1, block[1])
    return together([together([corners, *sites[1:]], 1), *rows[1:]], 0)
