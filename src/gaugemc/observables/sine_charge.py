"""The topological charge without its integers, for derivatives."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.kernels import sine
from gaugemc.lattice import plaquettes
from gaugemc.observables.charge import Charge
from gaugemc.spaces import total


class SineCharge(Charge):
    """Q_sin = (1 / 2 pi) sum_P sin x_P: a smooth function of the links.

    Q_sin is near the charge where plaquette angles are small. L2HMC of U(1) is trained for the
    expected squared jump of Q_sin (2105.03418).
    """

    name = "sine_charge"
    label = "sine charge"
    symbol = "Qₛᵢₙ"

    def of_links(self, group: Group, links: Field) -> Float[Array, ""]:
        return total(sine(group.angle(plaquettes(group, links)))) / (2 * jnp.pi)
