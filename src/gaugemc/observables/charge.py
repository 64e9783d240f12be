"""The topological charge of two-dimensional U(1), in the geometric form."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.lattice import plaquettes
from gaugemc.observables.observable import LinkObservable
from gaugemc.spaces import Space, is_u1_2d, total


class Charge(LinkObservable):
    """Q = (1 / 2 pi) sum_P x_P, with plaquette angles x_P in [-pi, pi): a whole number."""

    name = "charge"
    label = "charge"
    symbol = "Q"

    def refuse(self, space: Space) -> None:
        if not is_u1_2d(space):
            raise ValueError(f"{self.name}: is known for 2D U(1) links, not for {space.name}")

    def of_links(self, group: Group, links: Field) -> Float[Array, ""]:
        return jnp.round(total(group.angle(plaquettes(group, links))) / (2 * jnp.pi))
