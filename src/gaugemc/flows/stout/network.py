"""Coefficients of a link from a network that reads frozen loops alone."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int, Key

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.lattice import colours, plane_plaquettes, planes, wilson_loops
from gaugemc.networks import Perceptron
from gaugemc.spaces import Links


class CoefficientNetwork(eqx.Module):
    """Circular convolutions of traces of frozen loops to the weights of a layer's loops.

    The traces are Re tr / N, so the weights are invariant under gauge transformations and charge
    conjugation. They are zero until the network is trained.
    """

    perceptron: Perceptron

    def __init__(
        self,
        key: Key[Array, ""],
        space: Links,
        period: int,
        outputs: int,
        *,
        hidden: Sequence[int] = (8, 8),
        kernel_size: int = 3,
        compute_dtype: DTypeLike | None = None,
    ):
        """A network with `hidden` channels, for layers whose colours have a period."""
        d = len(space.lattice)
        n_traces = len(planes(d - 1)) + (d - 1) * len(lengths(period))
        channels = (n_traces, *hidden, outputs)
        self.perceptron = Perceptron(key, channels, d, kernel_size, space.real_dtype, compute_dtype)

    def __call__(
        self, group: Group, links: Field, mu: int, period: int, colour: Int[Array, ""]
    ) -> Float[Array, "... output"]:
        """The outputs at every site, whose links of direction mu and of this colour move."""
        inputs = frozen_traces(group, links, mu, period, colour)
        return jnp.moveaxis(self.perceptron([inputs], jnp.zeros(2, inputs.dtype)), 0, -1)


def frozen_traces(
    group: Group, links: Field, mu: int, period: int, colour: Int[Array, ""]
) -> Float[Array, "loop ..."]:
    """Re tr / N of loops at every site; 0 where a link of the loop moves.

    The loops are plaquettes, and rectangles that are one link long in the direction mu.
    """
    d = len(links)
    from_moving = (colours(links.shape[1 : 1 + d], mu, period) - colour) % period
    traces = [
        group.trace(plane_plaquettes(group, links, a, b)) for a, b in planes(d) if mu not in (a, b)
    ]
    for nu in range(d):
        for length in lengths(period) if nu != mu else ():
            # The other link of direction mu has a colour that is larger by the length.
            frozen = (from_moving != 0) & (from_moving != -length % period)
            loops = wilson_loops(group, links, mu, nu, 1, length)
            traces.append(jnp.where(frozen, group.trace(loops), 0))
    return jnp.stack(traces)


def lengths(period: int) -> tuple[int, ...]:
    """The lengths of loops across the direction mu of which some are frozen."""
    return (2,) if period == 2 else (1, 2)
