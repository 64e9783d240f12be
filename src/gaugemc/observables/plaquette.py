"""The mean plaquette."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.lattice import plaquettes
from gaugemc.observables.observable import LinkObservable


class Plaquette(LinkObservable):
    """The mean of Re tr P / N over all plaquettes P."""

    name = "plaquette"
    label = "plaquette"

    def of_links(self, group: Group, links: Field) -> Float[Array, ""]:
        return jnp.mean(group.trace(plaquettes(group, links)), dtype=jnp.float64)
