"""flow=continuous."""

from typing import ClassVar

from gaugemc.choices.built import Flow, RandomKey, Settings, Wilson
from gaugemc.choices.choice import FlowChoice
from gaugemc.choices.option import must, option


class ContinuousFlow(FlowChoice):
    """Links of 2D SU(N) that follow the gradient of loops, in continuous time."""

    name: str = "continuous"
    label = "continuous flow"
    has_network = False
    depth = "steps"
    free = ("load", "steps")
    defaults: ClassVar = {
        "training": {"steps": 150, "batch": 32, "learning_rate": 4e-2, "chunk": 10}
    }
    degree: int = option(
        2,
        "most plaquettes in a loop of continuous: 1, 2 and 3 give 1, 8 and 24 loops",
        must(lambda degree: degree in (1, 2, 3), "choose 1, 2 or 3"),
    )
    powers: int = option(2, "numbers in the polynomial in time that is the coefficient of a loop")
    steps: int = option(6, "steps of order 8 of continuous, from time 0 to 1")

    def build(self, settings: Settings, theory: Wilson, key: RandomKey) -> Flow:
        from gaugemc.flows import continuous_flow

        return continuous_flow(
            theory.space, degree=self.degree, powers=self.powers, steps=self.steps
        )
