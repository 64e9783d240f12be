"""The imaginary part of the mean Polyakov loop of each direction."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import SUN, Group
from gaugemc.lattice import polyakov_loops
from gaugemc.observables.observable import LinkObservable
from gaugemc.spaces import Links, Space


class PolyakovLoopImaginary(LinkObservable):
    """The mean of Im tr P_mu / N over the loops that wind around each direction mu.

    With `polyakov_loop` it is a point in the complex plane, near one of the N directions of the
    centre where the centre symmetry is broken. Traces of SU(2) are real.
    """

    name = "polyakov_loop_imaginary"
    label = "Polyakov loop, imaginary part"

    def refuse(self, space: Space) -> None:
        if not (isinstance(space, Links) and isinstance(space.group, SUN) and space.group.n > 2):
            raise ValueError(f"{self.name}: is known for SU(N) links, N > 2, not for {space.name}")

    def of_links(self, group: Group, links: Field) -> Float[Array, " d"]:
        means = [
            jnp.mean(
                jnp.trace(polyakov_loops(group, links, mu), axis1=-2, axis2=-1).imag,
                dtype=jnp.float64,
            )
            for mu in range(len(links))
        ]
        return jnp.stack(means) / links.shape[-1]
