"""Gauge actions of plaquettes and 1 x 2 rectangles."""

import math
from numbers import Real
from types import MappingProxyType

import equinox as eqx
import jax.numpy as jnp

from gaugemc.arrays import Field, Scalar
from gaugemc.lattice import rectangle_staples, rectangle_sum
from gaugemc.theories.wilson import Wilson

RECTANGLES = MappingProxyType(
    {"wilson": 0.0, "symanzik": -1 / 12, "iwasaki": -0.331, "dbw2": -1.4088}
)
"""c1 of the actions that have a name: Wilson (1974); tree-level Symanzik, Weisz (1983); Iwasaki,
1111.7054; DBW2, Takaishi (1996), hep-lat/9911033."""


def _checked_c1(c1: object) -> float:
    if not isinstance(c1, Real) or not math.isfinite(c1):
        raise ValueError(f"c1 {c1!r}: must be a finite number, such as -1/12 (Symanzik)")
    return float(c1)


class Improved(Wilson):
    """S = -(beta / N) [c0 sum_P Re tr P + c1 sum_R Re tr R], c0 = 1 - 8 c1 (Weisz 1983).

    R runs over all rectangles of 1 x 2 plaquettes, each once, in both orientations of its long
    side. `RECTANGLES` has the values of c1 that have names. Observables are those of `Wilson`;
    nothing is known exactly. beta is data; another c1 compiles anew.

    Raises:
        ValueError: c1 is not finite, or beta is not a coupling.
    """

    c1: float = eqx.field(converter=_checked_c1, kw_only=True)

    @property
    def name(self) -> str:
        return f"{super().name}, c1 = {self.c1:.4g}"

    @property
    def loop_couplings(self) -> tuple[Scalar, ...]:
        return self.beta * (1 - 8 * self.c1), self.beta * self.c1

    @eqx.filter_jit
    def action(self, x: Field) -> Scalar:
        rectangles = rectangle_sum(self.space.group, x)
        return (1 - 8 * self.c1) * super().action(x) - self.beta * self.c1 * rectangles

    @eqx.filter_jit
    def force(self, x: Field) -> Field:
        """The left derivative of S, from Wilson's force and the rectangles through each link."""
        group, directions = self.space.group, range(len(x))
        weight = (self.beta * self.c1).astype(self.space.real)
        rectangles = [rectangle_staples(group, x, mu) for mu in directions]
        force = [
            group.staple_gradient(x[mu], group.sum_staples(rectangles[mu], weight))
            for mu in directions
        ]
        return (1 - 8 * self.c1) * super().force(x) + jnp.stack(force)
