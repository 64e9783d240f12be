"""Gauge transformations."""

import jax.numpy as jnp
from jaxtyping import Array, Shaped

from gaugemc.groups import Group
from gaugemc.lattice.shift import shift


def gauge_transform(
    group: Group, links: Shaped[Array, "d ..."], omega: Shaped[Array, "..."]
) -> Shaped[Array, "d ..."]:
    """U_mu(n) -> omega(n) U_mu(n) omega(n + e_mu)^-1.

    `links` has shape (d, L_0, ..., L_{d-1}, *link_shape), `omega` the same without d.
    """
    transformed = [
        group.multiply(group.multiply(omega, u), group.adjoint(shift(omega, mu)))
        for mu, u in enumerate(links)
    ]
    return group.project(jnp.stack(transformed))
