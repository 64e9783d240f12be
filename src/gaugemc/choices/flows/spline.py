"""flow=spline."""

from gaugemc.choices.built import CircleMap
from gaugemc.choices.flows.coupling import Coupling
from gaugemc.choices.option import at_least, option


class SplineFlow(Coupling):
    """Couplings with rational-quadratic splines of the circle."""

    name: str = "spline"
    label = "spline flow"
    bins: int = option(8, "bins of the spline", at_least(2))

    @property
    def circle(self) -> CircleMap:
        from gaugemc.flows import Spline

        return Spline(self.bins)
