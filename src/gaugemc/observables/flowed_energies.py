"""The energy density at each of many flow times."""

from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.observables.flowed import Flowed


class FlowedEnergies(Flowed):
    """E(t), the clover energy at each flow time from 0 on, which t0 and w0 follow from."""

    name = "flowed_energies"
    label = "flowed energy at each flow time"
    symbol = "E"

    def of_links(self, group: Group, links: Field) -> Float[Array, " time"]:
        return self.along(group, links)[:, 0]
