"""The topological charge at a flow time."""

from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.observables.clover_charge import CloverCharge
from gaugemc.observables.flowed import Flowed
from gaugemc.spaces import Space


class FlowedCharge(Flowed):
    """Q(t), the clover charge after the gradient flow, near a whole number (1006.4518)."""

    name = "flowed_charge"
    label = "flowed charge"
    symbol = "Q(t)"

    def refuse(self, space: Space) -> None:
        super().refuse(space)
        CloverCharge().refuse(space)

    def of_links(self, group: Group, links: Field) -> Float[Array, ""]:
        return self.along(group, links)[-1, 1]
