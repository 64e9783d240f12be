"""The topological charge without its integers, for derivatives.

The integer charge itself, in the geometric form, is an observable of `Wilson`.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.kernels import sine
from gaugemc.lattice import plaquettes
from gaugemc.observables.gauge_field import gauge_field
from gaugemc.spaces import total
from gaugemc.theories import Theory


def sine_charge(theory: Theory, x: Field) -> Float[Array, ""]:
    """Q_sin = (1 / 2 pi) sum_P sin x_P: a smooth function of the links.

    Q_sin is near the charge where plaquette angles are small. L2HMC of U(1) is trained for the
    expected squared jump of Q_sin (2105.03418).

    Raises:
        ValueError: if the theory has no topological charge.
    """
    group, links = gauge_field(theory, x)
    if not (group.winds and len(links) == 2):
        raise ValueError(f"{theory.name}: no topological charge")
    return total(sine(group.angle(plaquettes(group, links)))) / (2 * jnp.pi)
