"""flow=ncp."""

from gaugemc.choices.built import CircleMap
from gaugemc.choices.flows.coupling import Coupling
from gaugemc.choices.option import option


class NCPFlow(Coupling):
    """Couplings with non-compact projections, mixtures of Moebius maps."""

    name: str = "ncp"
    label = "NCP flow"
    components: int = option(2, "terms of the ncp mixture")
    bound: float = option(4.0, "largest log-scale of a map of ncp, pair or flux")

    @property
    def circle(self) -> CircleMap:
        from gaugemc.flows import NCP

        return NCP(self.components, self.bound)
