"""The field strength on the lattice: the clover of four plaquettes around each site."""

import functools

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.kernels import native
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


def field_strength_products(group: Group, links: LinkField) -> Float[Array, "plane plane"]:
    """The sums of F^a F'^a / 2 over all sites and a, for all pairs of `planes`, in float64.

    For SU(N) they are sums of -tr F F'.
    """
    products = functools.partial(_products, group)
    if "field_strength_products" in group.kernels(links.dtype):
        return native.twinned(native.field_strength_products, products)(links)
    return products(links)


def _products(group: Group, links: LinkField) -> Float[Array, "plane plane"]:
    fields = [field_strength(group, links, mu, nu) for mu, nu in planes(len(links))]
    f = jnp.stack([group.components(field) for field in fields]).reshape(len(fields), -1)
    f = f.astype(jnp.float64)  # sums over a lattice
    return jnp.einsum("pi,qi->pq", f, f, precision="highest") / 2
