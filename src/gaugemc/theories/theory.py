"""A theory: a density exp(-S) on a space, with its force and its observables."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from gaugemc.arrays import Field, Scalar, known
from gaugemc.kernels import native
from gaugemc.observables import Observable
from gaugemc.observables.action import Action
from gaugemc.spaces import Links, Space


@runtime_checkable
class Transformation(Protocol):
    """What `pullback` needs of a flow: x = f(z) and its inverse, each with its log |det|.

    `fixed` returns the same map. Whatever follows from the parameters alone is then computed once.
    """

    def forward(self, z: Field) -> tuple[Field, Scalar]: ...

    def inverse(self, x: Field) -> tuple[Field, Scalar]: ...

    def fixed(self) -> Transformation: ...


_FOLLOWS_FROM = {
    "force": ("action",),
    "exact_observables": ("action",),
    "loop_couplings": ("action",),
    "compiled_couplings": ("action", "force"),
}
"""What a class says of its action or force, and no subclass with another one inherits."""


def checked_beta(beta: ArrayLike) -> Scalar:
    """The coupling as an array; ValueError unless it is finite and not negative, where known."""
    if known(beta):
        number = np.asarray(beta)
        if number.ndim or number.dtype.kind not in "iuf" or not 0 <= number < np.inf:
            raise ValueError(f"beta {beta}: must be finite and not negative")
    return jnp.asarray(beta, jnp.float64)


class Theory(eqx.Module):
    """A density p(x) ~ exp(-S(x)) on a space. S contains every coupling.

    Programs call the action and the force several times. `equinox.filter_jit` around one that is
    long lets all the programs of a run share its trace.

    A class that defines `action` anew does not inherit what its base knows of another action:
    `force`, `exact_observables` and `loop_couplings` are then those of `Theory`, unless the class
    defines them too. Nor does a class with another `force` inherit
    `compiled_couplings`.
    """

    space: eqx.AbstractVar[Space]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)

        def place(name: str) -> int:
            return next(i for i, c in enumerate(cls.__mro__) if name in vars(c))

        for name, sources in _FOLLOWS_FROM.items():
            inherited = vars(cls.__mro__[place(name)])[name]
            abstract = getattr(inherited, "__isabstractmethod__", False)
            if place(name) > min(map(place, sources)) and not abstract:
                setattr(cls, name, vars(Theory)[name])

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """A name for tables and files."""

    @abc.abstractmethod
    def action(self, x: Field) -> Scalar:
        """S(x), summed in float64."""

    @eqx.filter_jit
    def force(self, x: Field) -> Field:
        """dS/dx, a momentum; the momentum update subtracts it."""
        return self.space.gradient(self.action)(x)

    @abc.abstractmethod
    def observables(self, x: Field) -> dict[str, Scalar]:
        """What is measured on every configuration, by name."""

    def measure(self, x: Field, more: Sequence[Observable] = ()) -> dict[str, Field]:
        """The theory's observables, and more of the same physical configuration, by name.

        On links the `action` is one of them, but for Wilson's: the plaquette says the same.
        """
        levels = isinstance(self.space, Links) and self.wilson_beta is None
        more = (*((Action(self.action),) if levels else ()), *more)
        return self.observables(x) | {o.name: o(self.space, x) for o in more}

    @property
    def leading(self) -> tuple[str, ...]:
        """The observables that samplers are judged by, the most important first."""
        return ()

    def exact_observables(self) -> dict[str, float]:
        """Exact expectation values by observable, where the theory itself knows them."""
        return {}

    @property
    def loop_couplings(self) -> tuple[Scalar, ...]:
        """b_i, if the action is -(1 / N) sum_i b_i sum Re tr of loops, and nothing else; or ().

        b_0 belongs to the plaquettes. b_1, where there is one, belongs to the 1 x 2 rectangles.
        Local updates are known for these actions.
        """
        return ()

    @property
    def wilson_beta(self) -> Scalar | None:
        """beta, if the action is Wilson's, -(beta / N) sum_P Re tr P, and nothing else; or None.

        Independent draws and exact results are known for this action.
        """
        couplings = self.loop_couplings
        return couplings[0] if len(couplings) == 1 else None

    @property
    def compiled_couplings(self) -> tuple[Scalar, ...]:
        """`loop_couplings`, if `force` is that of their action and there are kernels; or ().

        Whole trajectories then run in `kernels.native`.
        """
        return ()

    def configuration(self, x: Field) -> Field:
        """The physical configuration that x stands for: x itself, unless pulled back."""
        return x

    def variable(self, x: Field) -> Field:
        """The variable that stands for a physical configuration: the inverse of `configuration`.

        With it, chains of field-transformation HMC go on from configurations of other samplers.
        """
        return x

    @property
    def own_beta(self) -> float:
        """The beta at which `at` gives this theory itself: its field `beta`, or 1 without one."""
        return float(vars(self)["beta"]) if _has_beta(self) else 1.0

    def at(self, beta: Scalar | float) -> Theory:
        """The same theory at another coupling: what annealing and scans do.

        A theory with a field `beta` gets another one; any other becomes `Tempered`, its action
        times beta. Override it, with `own_beta`, where the coupling has another name.

        Args:
            beta: the coupling. It is data: another one compiles nothing anew.
        """
        if _has_beta(self):
            own = vars(self)["beta"]
            beta = jnp.asarray(checked_beta(beta), getattr(own, "dtype", None))
            return eqx.tree_at(lambda theory: theory.beta, self, beta)
        from gaugemc.theories.tempered import Tempered  # itself a Theory

        return Tempered(self, beta)

    def pullback(self, flow: Transformation) -> Pullback:
        """The same theory in the variables z of x = flow(z)."""
        return Pullback(self, flow)


def check_flow(flow: Any, space: Space) -> None:
    """Raise ValueError unless an object is a flow that maps this space to itself."""
    if not isinstance(flow, Transformation):
        raise ValueError(
            f"{type(flow).__name__}: not a flow, which has methods forward, inverse and fixed"
        )
    own: Space | None = getattr(flow, "space", None)
    if own is None or own.name == space.name:
        return
    message = f"flow: is for {own.name}, not for {space.name}"
    match own, space:
        case Links(), Links() if own.group == space.group and len(own.shape) == len(space.shape):
            message += f": take flow.on({list(space.lattice)}), and train it there"
    raise ValueError(message)


def _has_beta(theory: Theory) -> bool:
    """Whether the theory has a beta that is data."""
    return any(
        field.name == "beta" and not field.metadata.get("static")
        for field in dataclasses.fields(theory)
    )


class Pullback(Theory):
    """A theory in the variables of a flow: S(f(z)) - log |det df/dz| (0907.5491, Eq. 2.6).

    Field-transformation HMC is HMC on this theory. z lives on the same space as x.
    """

    space: Space
    theory: Theory
    flow: Transformation

    def __init__(self, theory: Theory, flow: Transformation):
        check_flow(flow, theory.space)
        self.space = theory.space
        self.theory = theory
        self.flow = flow.fixed()

    @property
    def name(self) -> str:
        return f"{self.theory.name} in flow variables"

    @property
    def leading(self) -> tuple[str, ...]:
        return self.theory.leading

    @property
    def own_beta(self) -> float:
        return self.theory.own_beta

    def at(self, beta: Scalar | float) -> Theory:
        return Pullback(self.theory.at(beta), self.flow)

    @eqx.filter_jit
    def action(self, x: Field) -> Scalar:
        self.space.check_shape(x)
        physical, log_det = self.flow.forward(x)
        return self.theory.action(physical) - log_det

    @eqx.filter_jit
    def force(self, x: Field) -> Field:
        """The derivative of the action, in compiled code where the flow has a reverse pass.

        `flow.compiled_pull(z, force)`, where there is one, is the force of this action at z, from
        the function that is the force of S.
        """
        pull = getattr(self.flow, "compiled_pull", None)
        if pull is None or x.dtype != self.space.field_dtype:
            return super().force(x)
        return native.twinned(_pulled, Theory.force)(self, x)

    def observables(self, x: Field) -> dict[str, Scalar]:
        return self.measure(x)

    def measure(self, x: Field, more: Sequence[Observable] = ()) -> dict[str, Field]:
        return self.theory.measure(self.flow.forward(x)[0], more)

    def configuration(self, x: Field) -> Field:
        return self.theory.configuration(self.flow.forward(x)[0])

    def variable(self, x: Field) -> Field:
        return self.flow.inverse(self.theory.variable(x))[0]


def _pulled(theory: Pullback, x: Field) -> Field:
    return theory.flow.compiled_pull(x, theory.theory.force)  # pyright: ignore[reportAttributeAccessIssue]
