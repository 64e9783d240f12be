"""The energy density at a flow time."""

from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.observables.flowed import Flowed


class FlowedEnergy(Flowed):
    """E(t), the clover energy after the gradient flow (1006.4518)."""

    name = "flowed_energy"
    label = "flowed energy"
    symbol = "E(t)"

    def of_links(self, group: Group, links: Field) -> Float[Array, ""]:
        return self.along(group, links)[-1, 0]
