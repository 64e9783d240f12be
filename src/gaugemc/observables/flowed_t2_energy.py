"""The energy density at a flow time, in units of the flow time."""

from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.observables.flowed_energy import FlowedEnergy


class FlowedT2Energy(FlowedEnergy):
    """t^2 E(t), without a dimension: 0.3 on average at the flow time t0 (1006.4518)."""

    name = "flowed_t2_energy"
    label = "flowed energy in units of the flow time"
    symbol = "t²E(t)"

    def of_links(self, group: Group, links: Field) -> Float[Array, "..."]:
        return self.times[-1] ** 2 * super().of_links(group, links)
