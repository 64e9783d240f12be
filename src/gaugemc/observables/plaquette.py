"""The mean plaquette."""

import math

from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.lattice import planes, plaquette_sum
from gaugemc.observables.observable import LinkObservable


class Plaquette(LinkObservable):
    """The mean of Re tr P / N over all plaquettes P."""

    name = "plaquette"
    label = "plaquette"

    def of_links(self, group: Group, links: Field) -> Float[Array, ""]:
        d, *lattice = links.shape[: links.ndim - len(group.link_shape)]
        return plaquette_sum(group, links) / (len(planes(d)) * math.prod(lattice))
