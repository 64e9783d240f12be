"""The square of the topological charge, whose mean is the susceptibility times the volume."""

from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.observables.charge import Charge


class ChargeSquared(Charge):
    """Q^2, with the integer charge Q of two-dimensional U(1)."""

    name = "charge_squared"
    label = "charge squared"
    symbol = "Q²"

    def of_links(self, group: Group, links: Field) -> Float[Array, ""]:
        return super().of_links(group, links) ** 2
