"""Observables of the configuration at a flow time."""

from collections.abc import Callable
from typing import ClassVar

from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.observables.observable import LinkObservable
from gaugemc.spaces import Space

Flow = Callable[[Field, float], Field]
"""The configuration x after a flow time: `gaugemc.theories.GradientFlow`."""


class Flowed(LinkObservable):
    """An observable at flow time t, in units of the lattice spacing squared.

    All flowed observables of one compiled function share one flow: XLA finds that the flows are
    the same.
    """

    flow: Flow | None = None
    time: float = 0.0
    observable: ClassVar[LinkObservable]
    """What is measured there."""

    def refuse(self, space: Space) -> None:
        if self.flow is None:
            raise ValueError(f"{self.name}: needs evaluate.flow_time=T, not only {space.name}")
        self.observable.refuse(space)

    def of_links(self, group: Group, links: Field) -> Float[Array, "..."]:
        assert self.flow is not None
        return self.observable.of_links(group, self.flow(links, self.time))
