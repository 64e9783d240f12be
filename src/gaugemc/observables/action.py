"""The action, whose autocorrelation says how fast chains change their energy."""

from collections.abc import Callable

from jaxtyping import Array, Float

from gaugemc.arrays import Field, Scalar
from gaugemc.observables.observable import Observable
from gaugemc.spaces import Space


class Action(Observable):
    """S of a theory. For Wilson's action the plaquette says the same, and stands in its place."""

    name = "action"
    label = "action"
    symbol = "S"

    of: Callable[[Field], Scalar] | None = None
    """The theory's function."""

    def refuse(self, space: Space) -> None:
        if self.of is None:
            raise ValueError(f"{self.name}: needs a theory, not only {space.name}")

    def __call__(self, space: Space, x: Field) -> Float[Array, ""]:
        self.refuse(space)
        assert self.of is not None
        return self.of(x)
