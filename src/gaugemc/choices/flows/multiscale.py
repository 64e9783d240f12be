"""flow=multiscale."""

from typing import ClassVar

from gaugemc.choices.built import Flow, RandomKey, Settings, Wilson
from gaugemc.choices.choice import FlowChoice
from gaugemc.choices.option import one_of, option


class MultiscaleFlow(FlowChoice):
    """Splits of plaquettes from the coarsest to the finest, with tables and no network."""

    name: str = "multiscale"
    label = "multiscale flow"
    has_network = False
    objectives = (*FlowChoice.objectives, "levels")
    defaults: ClassVar = {
        "sampler": {"force_scale": 0.3},
        "training": {
            "objective": "levels",
            "steps": 1000,
            "batch": 96,
            "learning_rate": 1e-2,
            "chunk": 100,
            "quality_every": 200,
        },
    }
    start: str = option(
        "quantiles",
        "where multiscale starts: quantiles (solved by quadrature) or identity",
        one_of("quantiles", "identity"),
    )

    def build(self, settings: Settings, theory: Wilson, key: RandomKey) -> Flow:
        from gaugemc.flows import multiscale_flow
        from gaugemc.training import quantile_flow

        return quantile_flow(theory) if self.start == "quantiles" else multiscale_flow(theory.space)
