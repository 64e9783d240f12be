"""The mean rectangle."""

import math

from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.lattice import planes, rectangle_sum
from gaugemc.observables.observable import LinkObservable


class Rectangle(LinkObservable):
    """The mean of Re tr R / N over all 1 x 2 and 2 x 1 loops R (Luescher, Weisz 1985)."""

    name = "rectangle"
    label = "rectangle"

    def of_links(self, group: Group, links: Field) -> Float[Array, ""]:
        d, *lattice = links.shape[: links.ndim - len(group.link_shape)]
        return rectangle_sum(group, links) / (2 * len(planes(d)) * math.prod(lattice))
