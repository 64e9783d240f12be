"""Observables along the gradient flow."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.observables.clover_charge import CloverCharge
from gaugemc.observables.energy import Energy
from gaugemc.observables.observable import LinkObservable
from gaugemc.spaces import Links, Space

Flow = Callable[[Field, ArrayLike], Field]
"""The configuration x after a flow time: `gaugemc.theories.GradientFlow`."""


class Flowed(LinkObservable):
    """An observable of the flow through rising times, in units of the lattice spacing squared.

    All flowed observables of one `Measurement` share one flow: XLA finds that the loops are the
    same.
    """

    flow: Flow | None = None
    times: tuple[float, ...] = (0.0,)

    def refuse(self, space: Space) -> None:
        if self.flow is None:
            raise ValueError(f"{self.name}: needs evaluate.flow_time=T, not only {space.name}")
        super().refuse(space)

    def along(self, group: Group, links: Field) -> Float[Array, "time 2"]:
        """E at each of the times, and Q at the last one; NaN where there is no Q."""
        flow, charge = self.flow, CloverCharge()
        assert flow is not None
        charged = charge.has_meaning(Links(group, links.shape[1 : len(links) + 1]))

        def step(x: Field, to: tuple[Array, Array]) -> tuple[Field, Float[Array, " 2"]]:
            duration, last = to
            x = flow(x, duration)
            # Both in one array: of a part that nobody reads, XLA would make another loop.
            q = jnp.nan
            if charged:
                q = jax.lax.cond(last, lambda x: charge.of_links(group, x), lambda _: q, x)
            return x, jnp.stack([Energy().of_links(group, x), q])

        times = jnp.array(self.times, jnp.float64)
        steps = jnp.diff(times, prepend=0.0), jnp.arange(times.size) == times.size - 1
        return jax.lax.scan(step, flow(links, 0.0), steps)[1]  # the flow has its own precision
