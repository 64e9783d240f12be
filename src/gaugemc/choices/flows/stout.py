"""flow=stout."""

import math

from gaugemc.choices.built import Flow, RandomKey, Settings, Wilson
from gaugemc.choices.choice import FlowChoice, hidden_layer
from gaugemc.choices.option import SettingsError, must, option


class StoutFlow(FlowChoice):
    """Stout smearing of links of any group, one subset of them at a time."""

    name: str = "stout"
    label = "stout flow"
    depth = "sweeps"
    free = ("load", "rho")
    sweeps: int = option(4, "sweeps of stout layers, each of which moves all links once")
    rho: float = option(
        0.0,
        "coefficient of every plaquette before training; 0 is the identity",
        must(math.isfinite, "must be finite"),
    )
    rectangles: bool = option(
        False, "whether rectangles, and chairs from three dimensions on, move links too"
    )
    network: bool = option(
        False, "whether networks make the coefficients of each link from frozen loops"
    )
    contraction: float = option(
        0.9,
        "bound of the sum of the sizes of rho over the loops of a link",
        must(lambda q: 0 < q < 1, "must lie between 0 and 1, without the ends"),
    )

    @property
    def has_network(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether coefficients come from networks."""
        return self.network

    def refuse(self, settings: Settings) -> None:
        super().refuse(settings)
        if self.network:
            hidden_layer(settings)
        plaquettes = 2 * max(len(settings.theory.lattice) - 1, 1)
        if abs(self.rho) >= (bound := self.contraction / plaquettes):
            problem = (
                f"must lie between -{bound:.3g} and {bound:.3g}, without the ends:"
                f" flow.contraction={self.contraction:g} over the {plaquettes} plaquettes of a link"
            )
            raise SettingsError("flow.rho", self.rho, problem)

    def build(self, settings: Settings, theory: Wilson, key: RandomKey) -> Flow:
        from gaugemc.flows import stout_flow

        return stout_flow(
            theory.space,
            sweeps=self.sweeps,
            rho=self.rho,
            rectangles=self.rectangles,
            contraction=self.contraction,
            key=key if self.network else None,
            **settings.networks(),
        )
