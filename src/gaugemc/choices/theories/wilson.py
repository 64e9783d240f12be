"""theory=u1_2d, su2_2d, su3_2d and su3_4d: Wilson's action of links."""

from typing import Any, ClassVar

from gaugemc.choices.built import Settings, Theory
from gaugemc.choices.choice import TheoryChoice
from gaugemc.choices.option import SettingsError, one_of, option

GROUPS = ("U1", "SU2", "SU3")


class WilsonTheory(TheoryChoice):
    """Wilson's action of links."""

    def refuse(self, settings: Settings) -> None:
        one_of(*GROUPS)("theory.group", self.group)
        if self.toy is not None:
            raise SettingsError("theory.toy", self.toy, f"choose it with theory={self.toy}")

    def build(self, real: Any) -> Theory:
        from gaugemc.groups import SUN, U1
        from gaugemc.spaces import Links
        from gaugemc.theories import Wilson

        assert self.group is not None
        group = U1() if self.group == "U1" else SUN(int(self.group.removeprefix("SU")))
        try:
            space = Links(group, tuple(self.lattice), real)
        except ValueError as error:
            raise SettingsError("theory.lattice", self.lattice, str(error)) from error
        return Wilson(space, float(self.beta))


class U1In2D(WilsonTheory):
    """Compact electrodynamics in two dimensions, which is solved."""

    choice: str = "u1_2d"
    name: str = "2D U(1)"
    group: str | None = "U1"
    lattice: list[int] = option([8, 8], "")
    beta: float = 4.0
    mode_betas: ClassVar = {"demo": 6.0, "debug": 2.0}


class SU2In2D(WilsonTheory):
    """SU(2) in two dimensions, which is solved."""

    choice: str = "su2_2d"
    name: str = "2D SU(2)"
    group: str | None = "SU2"
    lattice: list[int] = option([8, 8], "")
    beta: float = 4.0


class SU3In2D(WilsonTheory):
    """SU(3) in two dimensions, which is solved."""

    choice: str = "su3_2d"
    name: str = "2D SU(3)"
    group: str | None = "SU3"
    lattice: list[int] = option([8, 8], "")
    beta: float = 6.0


class SU3In4D(WilsonTheory):
    """Pure gauge theory of QCD."""

    choice: str = "su3_4d"
    name: str = "4D SU(3)"
    group: str | None = "SU3"
    lattice: list[int] = option([4, 4, 4, 4], "")
    beta: float = 5.7
