"""flow=multiscale."""

from typing import ClassVar

from gaugemc.choices.built import Flow, RandomKey, Settings, Wilson
from gaugemc.choices.choice import FlowChoice
from gaugemc.choices.option import one_of, option


class MultiscaleFlow(FlowChoice):
    """Splits of blocks from the coarsest to the finest: of fluxes, or of loops of SU(N)."""

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
        "where multiscale starts: quantiles (tables, solved by quadrature) or identity (series in"
        " the flux, to be learned)",
        one_of("quantiles", "identity"),
    )
    stages: int = option(8, "stages of each split of SU(N)")

    def build(self, settings: Settings, theory: Wilson, key: RandomKey) -> Flow:
        from gaugemc.flows import matrix_multiscale, multiscale_flow
        from gaugemc.training import quantile_flow

        if settings.theory.group != "U1":
            return matrix_multiscale(key, theory, stages=self.stages)
        return quantile_flow(theory) if self.start == "quantiles" else multiscale_flow(theory.space)
