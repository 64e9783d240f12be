"""The mean rectangle."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.lattice import planes, wilson_loops
from gaugemc.observables.observable import LinkObservable


class Rectangle(LinkObservable):
    """The mean of Re tr R / N over all 1 x 2 and 2 x 1 loops R (Luescher, Weisz 1985)."""

    name = "rectangle"
    label = "rectangle"

    def of_links(self, group: Group, links: Field) -> Float[Array, ""]:
        loops = [
            group.trace(wilson_loops(group, links, mu, nu, r, 3 - r))
            for mu, nu in planes(len(links))
            for r in (1, 2)
        ]
        return jnp.mean(jnp.stack(loops), dtype=jnp.float64)
