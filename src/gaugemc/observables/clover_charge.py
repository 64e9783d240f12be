"""The topological charge of four-dimensional SU(N), from the clover."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import SUN, Group
from gaugemc.lattice import field_strength_products, planes
from gaugemc.observables.observable import LinkObservable
from gaugemc.spaces import Links, Space


class CloverCharge(LinkObservable):
    """Q = -(1 / 4 pi^2) sum_n tr[F_xy F_zt - F_xz F_yt + F_xt F_yz], with the clover's F.

    Directions 0, 1, 2, 3 are x, y, z, t. The sign is MILC's, and the opposite of openQCD's
    (1006.4518). Q is near a whole number on smooth fields alone: see `flowed_charge`.
    """

    name = "clover_charge"
    label = "clover charge"
    symbol = "Q"

    def refuse(self, space: Space) -> None:
        if not (
            isinstance(space, Links) and isinstance(space.group, SUN) and len(space.shape) == 5
        ):
            raise ValueError(f"{self.name}: is known for 4D SU(N) links, not for {space.name}")

    def of_links(self, group: Group, links: Field) -> Float[Array, ""]:
        products, index = field_strength_products(group, links), planes(4).index
        xy_zt = products[index((0, 1)), index((2, 3))]
        xz_yt = products[index((0, 2)), index((1, 3))]
        xt_yz = products[index((0, 3)), index((1, 2))]
        return (xy_zt - xz_yt + xt_yz) / (4 * jnp.pi**2)
