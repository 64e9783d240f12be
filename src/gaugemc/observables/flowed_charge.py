"""The topological charge at a flow time."""

from gaugemc.observables.clover_charge import CloverCharge
from gaugemc.observables.flowed import Flowed


class FlowedCharge(Flowed):
    """Q(t), the clover charge after the gradient flow, near a whole number (1006.4518)."""

    name = "flowed_charge"
    label = "flowed charge"
    symbol = "Q(t)"
    observable = CloverCharge()
