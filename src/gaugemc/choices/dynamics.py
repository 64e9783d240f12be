"""The generalised leapfrog of L2HMC, and the loss that trains it."""

import math
from dataclasses import dataclass
from typing import ClassVar

from gaugemc.choices.built import Model, RandomKey, Settings, Theory
from gaugemc.choices.choice import INTEGRATORS, TheoryChoice
from gaugemc.choices.option import at_least, filled, must, one_of, option

LONGEST_FLOW = 100.0
"""In the loss: a thousand steps, of each of which the derivative keeps the links."""


@dataclass
class DynamicsSettings:
    """The generalised leapfrog of l2hmc."""

    has_network: ClassVar[bool] = True
    objectives: ClassVar[tuple[str, ...]] = ("jump",)
    depth: ClassVar[str] = "n_leapfrog"

    n_leapfrog: int = option(4, "layers: leapfrog steps of one pass; a palindrome makes two")
    eps: float | None = option(
        None,
        "step size of every layer before training, or their mean; by default 0.2, in four"
        " dimensions what action and volume suggest",
        must(lambda eps: eps is None or 0 < eps < math.inf, "must be positive and finite"),
    )
    integrator: str = option(
        "leapfrog",
        "what it is before training: leapfrog; with couplings of force also omelyan, forest_ruth"
        " or omf4",
        one_of(*INTEGRATORS),
    )
    eps_trainable: bool = option(True, "train the step sizes, one for each layer")
    length_trainable: bool = option(
        True,
        "train the length of trajectories; without, the mean of signed step sizes stays eps",
    )
    network: str = option(
        "force",
        "force (gauge-equivariant, of loops), series (constants in its place, 2D U(1)), gauge (all"
        " of L2HMC), conv or dense",
        one_of("force", "series", "gauge", "conv", "dense"),
    )
    harmonics: int = option(8, "of series: sines of multiples of the plaquette", at_least(1))
    bound: float = option(4.0, "largest log-scale of a network, in units of the step")
    rectangles: bool = option(
        False, "force has a trained force of rectangles too; not in two-dimensional U(1)"
    )
    separate_networks: bool = option(True, "networks of each layer's own, or the same for all")
    split_x_networks: bool = option(
        True, "two networks for the halves of the position update; not of force"
    )
    direction: str = option(
        "palindrome",
        "palindrome (forward, flip, backward) or random",
        one_of("palindrome", "random"),
    )
    load: str | None = option(
        None,
        "run directory whose trained leapfrog to start from, or a model of the package,"
        " gaugemc:NAME; dense: of the same lattice",
        filled,
    )

    @property
    def free(self) -> tuple[str, ...]:
        """What may differ from the run whose leapfrog is loaded; a kept length is that of eps."""
        return ("load", "direction", *(("eps",) if self.length_trainable else ()))

    def step(self, theory: TheoryChoice) -> float:
        """The step size before training."""
        return theory.l2hmc_step() if self.eps is None else self.eps

    def has_loop_couplings(self, theory: TheoryChoice) -> bool:
        """Whether constants are trained in place of networks: forces of loops."""
        return self.network == "force" and bool(theory.group) and not theory.is_u1_2d

    def has_networks(self, theory: TheoryChoice) -> bool:
        """Whether what is trained are networks, and not constants alone."""
        return self.network != "series" and not self.has_loop_couplings(theory)

    def build(self, settings: Settings, theory: Theory, key: RandomKey) -> Model:
        """The leapfrog before training: that of an integrator."""
        from gaugemc.samplers import trainable_leapfrog

        return trainable_leapfrog(
            key,
            theory.space,
            n_layers=self.n_leapfrog,
            step_size=self.step(settings.theory),
            network=self.network,
            bound=self.bound,
            harmonics=self.harmonics,
            rectangles=self.rectangles,
            integrator=self.integrator if self.has_loop_couplings(settings.theory) else "leapfrog",
            separate=self.separate_networks,
            x_networks=2 if self.split_x_networks else 1,
            train_step_sizes=self.eps_trainable,
            keep_length=not self.length_trainable,
            **settings.networks(),
        )


@dataclass
class LossSettings:
    """What training.objective=jump maximises; of l2hmc also energy errors."""

    form: str = option(
        "mixed",
        "mixed, 1 / jump - jump; plain, -jump; or energy (l2hmc), the square of the energy error"
        " alone, at a length that is not trained",
        one_of("mixed", "plain", "energy"),
    )
    charge_weight: float = option(
        1.0,
        "weight of the jump of the charge: in 2D U(1) the sine charge, in 4D SU(N) the clover's"
        " after the gradient flow; 0 leaves it out",
        at_least(0),
    )
    charge_scale: float = option(1.0, "squared jump of the charge that counts as one")
    plaquette_weight: float = option(
        0.0, "weight of the jump of plaquettes; 0 leaves it out", at_least(0)
    )
    plaquette_scale: float = option(1.0, "squared jump of plaquettes that counts as one")
    energy_weight: float = option(
        0.0,
        "weight of the jump of the energy density after the gradient flow, SU(N); 0 leaves it out",
        at_least(0),
    )
    energy_scale: float = option(1e-4, "squared jump of the energy density that counts as one")
    flow_time: float = option(
        0.5,
        "flow time of energy and charge in the loss, in lattice spacings squared, at most 100",
        must(
            lambda time: 0 < time <= LONGEST_FLOW, f"must be positive and at most {LONGEST_FLOW:g}"
        ),
    )
    distance_weight: float = option(
        0.0, "weight of the distance of links in the group; 0 leaves it out", at_least(0)
    )
    distance_scale: float = option(1.0, "squared distance of links or vectors that counts as one")
    whitened_weight: float = option(
        0.0,
        "weight of the distance in units of the widths, toys with one mode; 0 leaves it out",
        at_least(0),
    )
    whitened_scale: float = option(1.0, "squared distance in those units that counts as one")
    square_weight: float = option(
        0.0,
        "weight of the distance of the components' squares (toys); 0 leaves it out",
        at_least(0),
    )
    square_scale: float = option(1.0, "squared distance of squares that counts as one")
    aux_weight: float = option(
        0.0,
        "weight of proposals from as many hot configurations, drawn anew in each step",
        at_least(0),
    )
