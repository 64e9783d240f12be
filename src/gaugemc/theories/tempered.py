"""A theory at another temperature."""

from collections.abc import Sequence

from gaugemc.arrays import Field, Scalar
from gaugemc.observables import Observable
from gaugemc.spaces import Space
from gaugemc.theories.theory import Theory, checked_beta


class Tempered(Theory):
    """The action times an inverse temperature beta: annealing of a density without a coupling.

    At beta = 1 the result is the theory itself, with its exact values.
    """

    space: Space
    theory: Theory
    beta: Scalar

    def __init__(self, theory: Theory, beta: Scalar | float = 1.0):
        self.space = theory.space
        self.theory = theory
        self.beta = checked_beta(beta)

    @property
    def name(self) -> str:
        return self.theory.name

    @property
    def leading(self) -> tuple[str, ...]:
        return self.theory.leading

    @property
    def loop_couplings(self) -> tuple[Scalar, ...]:
        return tuple(self.beta * coupling for coupling in self.theory.loop_couplings)

    @property
    def compiled_couplings(self) -> tuple[Scalar, ...]:
        return self.loop_couplings if self.theory.compiled_couplings else ()

    def action(self, x: Field) -> Scalar:
        return self.beta * self.theory.action(x)

    def force(self, x: Field) -> Field:
        return self.beta.astype(self.space.real_dtype) * self.theory.force(x)

    def observables(self, x: Field) -> dict[str, Scalar]:
        return self.measure(x)

    def measure(self, x: Field, more: Sequence[Observable] = ()) -> dict[str, Field]:
        return self.theory.measure(x, more)

    def configuration(self, x: Field) -> Field:
        return self.theory.configuration(x)

    def variable(self, x: Field) -> Field:
        return self.theory.variable(x)

    def exact_observables(self) -> dict[str, float]:
        return self.theory.exact_observables() if self.beta == 1 else {}
