"""What every file of links is checked by: mean plaquette, mean link, distance from the group."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from gaugemc.groups import Group
from gaugemc.kernels.once import once
from gaugemc.lattice import plaquettes
from gaugemc.spaces import Links, total


class Measured(NamedTuple):
    """Numbers of a configuration."""

    plaquette: float
    """Mean of Re tr P / N."""
    link_trace: float
    """Mean of Re tr U / N."""
    deviation: float
    """Largest entry of U U^-1 - 1, and largest det U - 1, in modulus."""


def measure(space: Links, links: np.ndarray) -> Measured:
    """Measure links slice by slice in the last direction, always in float64.

    Two slices at a time are a lattice of their own, whose first slice has all its plaquettes.
    """
    axis = len(space.lattice)
    extent = space.lattice[-1]
    sums = np.zeros(2)
    deviation = 0.0
    with jax.enable_x64(True):
        for here in range(extent):
            slab = np.take(links, (here, (here + 1) % extent), axis=axis)
            slab = jnp.asarray(slab, np.result_type(slab.dtype, np.float64))
            *part, worst = map(float, _measure_slice(space.group, slab))
            sums += part
            deviation = float(np.maximum(deviation, worst))  # NaN stays
    loops = axis * (axis - 1) // 2
    plaquette, trace = sums / (np.prod(space.lattice) * np.array([loops, axis]))
    return Measured(float(plaquette), float(trace), deviation)


@once
def _measure_slice(
    group: Group, slab: Shaped[Array, "d ..."]
) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
    """Sum over the plaquettes and over the links of the first slice, and the largest deviation."""
    axis = slab.shape[0]
    loops = group.trace(plaquettes(group, slab))
    links = jnp.take(slab, 0, axis=axis)
    unity = group.multiply(links, group.adjoint(links))
    identity = group.identity((), links.dtype)
    worst = jnp.max(jnp.abs(unity - identity))
    if group.link_shape:
        worst = jnp.maximum(worst, jnp.max(jnp.abs(jnp.linalg.det(links) - 1)))
    return total(jnp.take(loops, 0, axis=axis)), total(group.trace(links)), worst
