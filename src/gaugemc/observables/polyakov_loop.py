"""The mean Polyakov loop of each direction."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.lattice import polyakov_loops
from gaugemc.observables.observable import LinkObservable


class PolyakovLoop(LinkObservable):
    """The mean of Re tr P_mu / N over the loops that wind around each direction mu.

    Polyakov loops vanish on average where the centre symmetry is not broken (Polyakov 1978).
    """

    name = "polyakov_loop"
    label = "Polyakov loop"

    def of_links(self, group: Group, links: Field) -> Float[Array, " d"]:
        means = [
            jnp.mean(group.trace(polyakov_loops(group, links, mu)), dtype=jnp.float64)
            for mu in range(len(links))
        ]
        return jnp.stack(means)
