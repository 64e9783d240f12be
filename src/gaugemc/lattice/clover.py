"""The field strength on the lattice: the clover of four plaquettes around each site."""

import jax.numpy as jnp
from jaxtyping import Array, Shaped

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.lattice.loops import LinkField, plane_plaquettes, planes
from gaugemc.lattice.shift import shift


def field_strength(group: Group, links: LinkField, mu: int, nu: int) -> Field:
    """F_mu nu at every site, an algebra element: for SU(N) anti-Hermitian and traceless.

    The mean of the four plaquettes that meet at the site, projected on the algebra: for SU(N)
    (Q - Q^+) / 8 without its trace, with the sum Q of the four leaves (1006.4518).
    Each leaf is a plaquette carried along its first link to the site.
    """
    plaquette = plane_plaquettes(group, links, mu, nu)
    leaves = group.unit_beta * group.trace_gradient(plaquette)
    for direction in (mu, nu):
        leaves = leaves + shift(group.transport(links[direction], leaves), direction, -1)
    return leaves / 4


def field_strengths(group: Group, links: LinkField) -> Shaped[Array, "plane ..."]:
    """F of all planes, in the order of `planes`: (d (d - 1) / 2, L_0, ..., *link_shape)."""
    return jnp.stack([field_strength(group, links, mu, nu) for mu, nu in planes(len(links))])
