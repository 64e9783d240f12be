"""The energy density of the gauge field, from the clover."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.lattice import field_strength_products
from gaugemc.observables.observable import LinkObservable


class Energy(LinkObservable):
    """E = (1/4) F^a_mu nu F^a_mu nu, the mean over all sites (1006.4518).

    F is the clover's. For SU(N) E is the sum of -tr F_mu nu^2 over the planes mu < nu. On a rough
    field E says little; `flowed_energy` is E of a smooth one.
    """

    name = "energy"
    label = "clover energy"
    symbol = "E"

    def of_links(self, group: Group, links: Field) -> Float[Array, ""]:
        return jnp.sum(plane_energies(group, links))


def plane_energies(group: Group, links: Field) -> Float[Array, " plane"]:
    """The mean of F^a F^a / 2 of each plane; E is their sum."""
    volume = math.prod(links.shape[1 : len(links) + 1])
    return jnp.diagonal(field_strength_products(group, links)) / volume
