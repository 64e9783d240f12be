"""What an observable is: a function of physical configurations, with its names."""

import abc
from typing import ClassVar

import equinox as eqx
from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.spaces import Links, Space


class Observable(eqx.Module):
    """A number, or an array of numbers, measured on the physical configurations of a space.

    A class says how an observable is called: `name` in settings and files, `label` in tables, and
    `symbol` (plain text) where the field has one.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    symbol: ClassVar[str] = ""

    def refuse(self, space: Space) -> None:
        """Raise ValueError, in one line, where the observable has no meaning."""

    def has_meaning(self, space: Space) -> bool:
        """Whether the observable can be measured on a space."""
        try:
            self.refuse(space)
        except ValueError:
            return False
        return True

    @classmethod
    def entry(cls, index: tuple[int, ...]) -> str:
        """How tables call an entry of an array, after its symbol or label."""
        return str(list(index))

    @abc.abstractmethod
    def __call__(self, space: Space, x: Field) -> Float[Array, "..."]:
        """The value on one configuration, summed in float64.

        Raises:
            ValueError: the observable has no meaning on the space.
        """


class LinkObservable(Observable):
    """An observable of gauge fields."""

    def refuse(self, space: Space) -> None:
        if not isinstance(space, Links):
            raise ValueError(f"{self.name}: is measured on links, not on {space.name}")

    def __call__(self, space: Space, x: Field) -> Float[Array, "..."]:
        self.refuse(space)
        space.check_shape(x)
        assert isinstance(space, Links)
        return self.of_links(space.group, x)

    @abc.abstractmethod
    def of_links(self, group: Group, links: Field) -> Float[Array, "..."]:
        """The value on links of shape (d, L_0, ..., L_{d-1}, *link_shape)."""
