"""theory=ring and other toys: densities of vectors, and what trains L2HMC well on them.

A large scale of the distance trains for few small jumps rather than for long ones: the longest are
those from x to -x, which never change x^2. The whitened distance moves the narrow directions too.
"""

from typing import Any, ClassVar

from gaugemc.choices.built import Settings, Theory
from gaugemc.choices.choice import TheoryChoice
from gaugemc.choices.option import SettingsError


def beside(distance_scale: float, n_leapfrog: int = 2, **changes: dict[str, Any]) -> dict[str, Any]:
    """Settings of other groups, with what one toy changes."""
    common: dict[str, dict[str, Any]] = {
        "dynamics": {"network": "dense", "n_leapfrog": n_leapfrog},
        "network": {"hidden": [16, 16]},
        "loss": {"form": "mixed", "charge_weight": 0.0, "distance_scale": distance_scale},
        "training": {"steps": 5000, "batch": 200, "learning_rate": 3e-3},
        "evaluate": {"draws": 2000, "lengths": [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]},
    }
    return {group: settings | changes.get(group, {}) for group, settings in common.items()}


def ten_steps(step_size: float) -> dict[str, Any]:
    """HMC of 1711.09268: ten leapfrog steps, here of the best step size (`benchmarks/toys.py`)."""
    there = {"sampler": {"trajectory_length": round(10 * step_size, 2), "n_steps": 10}}
    return dict.fromkeys(("paper_1711_09268", "paper_1711_09268_quick"), there)


class ToyTheory(TheoryChoice):
    """A toy density of vectors."""

    def refuse(self, settings: Settings) -> None:
        for key, wanted in (("group", None), ("lattice", []), ("beta", 1.0), ("toy", self.choice)):
            value = getattr(self, key)
            if value != wanted:
                shown = "null" if wanted is None else wanted
                problem = f"{self.name} is a toy, without links: leave it at {shown}"
                raise SettingsError(f"theory.{key}", value, problem)

    def build(self, real: Any) -> Theory:
        from gaugemc.theories import TOYS

        return TOYS[self.choice](real)


class CorrelatedGaussian(ToyTheory):
    """Two components with variances 100 and 0.1 along the diagonals."""

    choice: str = "correlated_gaussian"
    name: str = "strongly correlated Gaussian"
    toy: str | None = "correlated_gaussian"
    with_modes: ClassVar = ten_steps(0.44)
    defaults: ClassVar = beside(
        1000.0,
        n_leapfrog=1,
        network={"hidden": [32]},
        loss={"whitened_weight": 1.0, "whitened_scale": 20.0},
        training={"steps": 10000},
    )


class IllConditionedGaussian(ToyTheory):
    """Fifty components with variances from 0.01 to 100."""

    choice: str = "ill_conditioned_gaussian"
    name: str = "ill-conditioned Gaussian"
    toy: str | None = "ill_conditioned_gaussian"
    with_modes: ClassVar = ten_steps(0.16)
    defaults: ClassVar = beside(
        20000.0,
        n_leapfrog=5,
        dynamics={"eps": 0.1, "bound": 40.0},
        network={"hidden": [32]},
        loss={
            "whitened_weight": 1.0,
            "whitened_scale": 500.0,
            "square_weight": 1.0,
            "square_scale": 50000.0,
        },
        training={"steps": 2000, "annealing": "none"},
    )


class TwoGaussians(ToyTheory):
    """Two modes far apart."""

    choice: str = "two_gaussians"
    name: str = "two Gaussians"
    toy: str | None = "two_gaussians"
    with_modes: ClassVar = ten_steps(0.06)
    defaults: ClassVar = beside(
        16.0,
        n_leapfrog=5,
        loss={"form": "plain"},  # the mixed loss gives up the long jumps for safe short ones
        training={"anneal_start": 0.02, "anneal_fraction": 0.8},
    )


class RoughWell(ToyTheory):
    """A Gaussian with small ripples."""

    choice: str = "rough_well"
    name: str = "rough well"
    toy: str | None = "rough_well"
    with_modes: ClassVar = ten_steps(0.16)
    defaults: ClassVar = beside(20.0, training={"learning_rate": 1e-3, "annealing": "none"})


class Funnel(ToyTheory):
    """Neal's funnel."""

    choice: str = "funnel"
    name: str = "funnel"
    toy: str | None = "funnel"
    defaults: ClassVar = beside(100.0)


class Ring(ToyTheory):
    """A thin ring in the plane."""

    choice: str = "ring"
    name: str = "ring"
    toy: str | None = "ring"
    defaults: ClassVar = beside(10.0)
