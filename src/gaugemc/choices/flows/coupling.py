"""Flows of coupling layers with networks, whatever circle map the layers have."""

import abc
from typing import Any

from gaugemc.choices.built import CircleMap, Flow, RandomKey, Settings, Wilson
from gaugemc.choices.choice import FlowChoice
from gaugemc.choices.option import must, option


class Layered(FlowChoice):
    """A flow of many layers."""

    depth = "n_layers"

    n_layers: int = option(
        24,
        "coupling layers, even; 8 move every link once, 4 of pair",
        must(lambda n: n >= 2 and n % 2 == 0, "must be a positive even number"),
    )


class Coupling(Layered):
    """A flow whose layers move plaquettes by a circle map."""

    @property
    @abc.abstractmethod
    def circle(self) -> CircleMap:
        """The circle map."""

    def build(self, settings: Settings, theory: Wilson, key: RandomKey) -> Flow:
        from gaugemc.flows import gauge_flow

        return gauge_flow(
            key, theory.space, self.circle, n_layers=self.n_layers, **settings.networks()
        )


class Rounds(Layered):
    """A flow whose layers move plaquettes by Moebius maps about the fluxes of their pairs."""

    closed = True
    rounds: int = option(1, "rounds of four maps in each coupling of pair or flux")
    bound: float = option(4.0, "largest log-scale of a map of ncp, pair or flux")

    def sizes(self, settings: Settings) -> dict[str, Any]:
        """Arguments of the function that makes the flow."""
        layers = {"n_layers": self.n_layers, "rounds": self.rounds, "bound": self.bound}
        return layers | settings.networks()
