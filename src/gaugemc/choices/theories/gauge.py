"""theory=u1_2d, su2_2d, su3_2d, su2_4d and su3_4d: gauge actions of links."""

import math
from typing import Any, ClassVar

from gaugemc.choices.built import Settings, Theory
from gaugemc.choices.choice import TheoryChoice
from gaugemc.choices.option import SettingsError, must, one_of, option

GROUPS = ("U1", "SU2", "SU3")
ACTIONS = {"wilson": "Wilson", "symanzik": "Symanzik", "iwasaki": "Iwasaki", "dbw2": "DBW2"}
"""Actions with a name, and the name in a sentence."""
LARGEST_C1 = 100.0


class GaugeTheory(TheoryChoice):
    """Links with an action of plaquettes and, where c1 is not 0, of 1 x 2 rectangles."""

    action: str = option(
        "wilson", "action with a name: wilson, symanzik, iwasaki or dbw2", one_of(*ACTIONS)
    )
    c1: float | None = option(
        None,
        "coefficient of rectangles, where the action has no name",
        must(
            lambda c1: c1 is None or abs(c1) <= LARGEST_C1,
            f"must be finite, at most {LARGEST_C1:g} either way",
        ),
    )

    @property
    def with_action(self) -> str:
        if self.c1:
            return f" with c1 = {self.c1:g}"
        return "" if self.action == "wilson" else f" with the {ACTIONS[self.action]} action"

    @property
    def rectangles(self) -> float:
        """The coefficient of rectangles."""
        from gaugemc.theories import RECTANGLES

        return RECTANGLES[self.action] if self.c1 is None else self.c1

    def refuse(self, settings: Settings) -> None:
        one_of(*GROUPS)("theory.group", self.group)
        if self.toy is not None:
            raise SettingsError("theory.toy", self.toy, f"choose it with theory={self.toy}")
        if self.c1 is not None and self.action != "wilson":
            problem = f"theory.action={self.action} has its own: leave out one of the two"
            raise SettingsError("theory.c1", self.c1, problem)

    def build(self, real: Any) -> Theory:
        from gaugemc.groups import SUN, U1
        from gaugemc.spaces import Links
        from gaugemc.theories import Improved, Wilson

        assert self.group is not None
        group = U1() if self.group == "U1" else SUN(int(self.group.removeprefix("SU")))
        try:
            space = Links(group, tuple(self.lattice), real)
        except ValueError as error:
            raise SettingsError("theory.lattice", self.lattice, str(error)) from error
        c1 = self.rectangles
        return Improved(space, float(self.beta), c1=c1) if c1 else Wilson(space, float(self.beta))


class U1In2D(GaugeTheory):
    """Compact electrodynamics in two dimensions, which is solved."""

    choice: str = "u1_2d"
    name: str = "2D U(1)"
    group: str | None = "U1"
    lattice: list[int] = option([8, 8], "")
    beta: float = 4.0
    with_modes: ClassVar = {"demo": {"theory": {"beta": 6.0}}, "debug": {"theory": {"beta": 2.0}}}


PLAQUETTE_JUMP: dict[str, Any] = {"charge_weight": 0.0, "plaquette_weight": 1.0}
"""The loss of L2HMC where there is no charge that has a derivative."""


class SU2In2D(GaugeTheory):
    """SU(2) in two dimensions, which is solved."""

    choice: str = "su2_2d"
    name: str = "2D SU(2)"
    group: str | None = "SU2"
    lattice: list[int] = option([8, 8], "")
    beta: float = 4.0
    defaults: ClassVar = {"loss": PLAQUETTE_JUMP}


class SU3In2D(GaugeTheory):
    """SU(3) in two dimensions, which is solved."""

    choice: str = "su3_2d"
    name: str = "2D SU(3)"
    group: str | None = "SU3"
    lattice: list[int] = option([8, 8], "")
    beta: float = 6.0
    defaults: ClassVar = {"loss": PLAQUETTE_JUMP}


FOUR_DIMENSIONS: dict[str, Any] = {
    "chains": 8,
    "sampler": {"integrator": "omf4"},
    "loss": PLAQUETTE_JUMP,
    "training": {"steps": 100, "batch": 4, "learning_rate": 1e-2, "quality_every": 50},
    "evaluate": {
        "draws": 600,
        "hmc_draws": 600,
        "heatbath_draws": 600,
        "warmup": 200,
        "hmc_warmup": 200,
        "burn_in": 100,
        "measure_every": 10,
        "flow_time": 1.4,  # t0 is 0.95 in SU(3) at beta = 5.7
        "flow_step": 0.1,
        "cold": False,  # HMC that is tuned in equilibrium accepts nothing from there
        "lengths": [1.0, 2.0, 4.0, 8.0],  # shorter ones take long to come from a hot start
        "tune_iterations": 30,
        "tune_draws": 30,
        "tune_doublings": 1,
        "timing_rounds": 3,
    },
}
"""A report in five minutes on two cores."""
COUPLINGS: dict[str, Any] = {
    "dynamics": {"integrator": "omf4", "n_leapfrog": 10, "length_trainable": False},
    "loss": {"form": "energy"},
    "training": {
        "lattice": [4, 4, 4, 4],
        "steps": 200,
        "batch": 64,
        "learning_rate": 0.7,
        "warmup": 30,
        "quality_every": 100,
        "ess_samples": 1024,
    },
}
"""Trained couplings of L2HMC, 20 forces a draw."""
POLYAKOV_LOOPS = ["polyakov_loop", "polyakov_loop_imaginary"]


class GaugeTheoryIn4D(GaugeTheory):
    """SU(N), which L2HMC learns couplings for."""

    with_samplers: ClassVar = {"l2hmc": COUPLINGS}

    def l2hmc_step(self) -> float:
        """A step whose energy error, after training, is that of SU(3) on 8^4 at beta = 5.7.

        There 0.14 gives an acceptance of 0.8. Frequencies of links grow as the root of the largest
        coefficient of the action, and the error of a scheme of fourth order as eps^4 V^(1/2).
        """
        n = 2 if self.group == "SU2" else 3
        stiffness = max(self.beta * (1 + 8 * abs(self.rectangles)) / n, 0.5)
        volume = max(math.prod(self.lattice), 1)
        return round(0.14 * (1.9 / stiffness) ** 0.5 * (8**4 / volume) ** 0.125, 4)


class SU2In4D(GaugeTheoryIn4D):
    """SU(2) in four dimensions, near the lattice spacing where scaling begins."""

    choice: str = "su2_4d"
    name: str = "4D SU(2)"
    group: str | None = "SU2"
    lattice: list[int] = option([8, 8, 8, 8], "")
    beta: float = 2.3
    defaults: ClassVar = {
        **FOUR_DIMENSIONS,
        "evaluate": {**FOUR_DIMENSIONS["evaluate"], "flow_time": 2.4},
        "observables": POLYAKOV_LOOPS[:1],
    }


class SU3In4D(GaugeTheoryIn4D):
    """Pure gauge theory of QCD."""

    choice: str = "su3_4d"
    name: str = "4D SU(3)"
    group: str | None = "SU3"
    lattice: list[int] = option([6, 6, 6, 6], "")
    beta: float = 5.7
    defaults: ClassVar = {**FOUR_DIMENSIONS, "observables": POLYAKOV_LOOPS}
