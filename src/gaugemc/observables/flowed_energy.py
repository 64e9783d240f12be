"""The energy density at a flow time."""

from gaugemc.observables.energy import Energy
from gaugemc.observables.flowed import Flowed


class FlowedEnergy(Flowed):
    """E(t), the clover energy after the gradient flow (1006.4518)."""

    name = "flowed_energy"
    label = "flowed energy"
    symbol = "E(t)"
    observable = Energy()
