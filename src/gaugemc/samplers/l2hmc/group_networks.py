"""Gauge-equivariant networks for the generalised leapfrog on links of any group, in any dimension.

Networks read gauge-invariant numbers, and multiply algebra elements that a gauge transformation
turns as it turns momenta. So the updates commute with gauge transformations.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Key

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.kernels import cosine, sine
from gaugemc.lattice import plane_plaquettes, planes, shift
from gaugemc.lattice.staples import side
from gaugemc.networks.perceptron import Perceptron
from gaugemc.samplers.l2hmc.network import MomentumNetwork, PositionNetwork, Time
from gaugemc.samplers.l2hmc.networks import bounded
from gaugemc.samplers.l2hmc.updates import Outputs
from gaugemc.spaces import Links
from gaugemc.theories.wilson import plaquette_force

Numbers = Float[Array, "..."]


class PlaneFunction(Perceptron):
    """A perceptron of three numbers at each site of each plane, the same function in all planes."""

    group: Group
    bound: float

    def __init__(
        self,
        key: Key[Array, ""],
        space: Links,
        outputs: int,
        *,
        hidden: Sequence[int],
        kernel_size: int = 1,
        bound: float = 4.0,
        compute_dtype: DTypeLike | None = None,
    ):
        channels, dims = (3, *hidden, outputs), len(space.lattice)
        super().__init__(key, channels, dims, kernel_size, space.real_dtype, compute_dtype)
        self.group, self.bound = space.group, bound

    def of_planes(self, loops: Sequence[Field], squares: Sequence[Numbers], time: Time) -> Numbers:
        """Outputs [output, plane, site] from Re and Im of tr / N of loops, and from squares."""
        inputs = [jnp.stack([*traces(self.group, w), a]) for w, a in zip(loops, squares)]
        return jax.vmap(lambda of_plane: self([of_plane], time), 0, 1)(jnp.stack(inputs))

    def on_links(self, numbers: Numbers) -> Numbers:
        """Numbers of links, bounded, as a field that broadcasts against algebra elements."""
        return bounded(self.group.expanded(numbers), self.bound)


class PlaquetteMomentum(MomentumNetwork):
    """v' = exp(e s / 2) v - (e / 2) (F exp(e q) + t), t = sum_P g_P dS_P, S_P = -Re tr P / N.

    The perceptron reads Re tr P / N and Im tr P / N of each plaquette, and the mean of |F|^2 over
    its four links. It returns g_P, and two numbers that are added over the plaquettes beside a
    link to make s and q of the link. With kernels of one site, t is the force of a further action.
    """

    function: PlaneFunction

    def __call__(self, x: Field, force: Field, time: Time) -> Outputs:
        function, group = self.function, self.function.group
        square = 2 * group.kinetic_energy(force)
        pairs = planes(len(x))
        loops = [plane_plaquettes(group, x, mu, nu) for mu, nu in pairs]
        squares = [
            (square[mu] + shift(square[mu], nu) + square[nu] + shift(square[nu], mu)) / 4
            for mu, nu in pairs
        ]
        slopes, *beside = function.of_planes(loops, squares, time)
        log_scale, log_factor = (function.on_links(sum_beside(numbers)) for numbers in beside)
        t = plaquette_force(group, x, [group.expanded(slope) for slope in slopes])
        return Outputs(log_scale, t, log_factor)


class StaplePosition(PositionNetwork):
    """U' = exp(e (exp(e q) v + t)) U on the links of one direction at the sites of one parity.

    Beside an active link there are two ways from its start to its end in each plane, and all their
    links are frozen. There along one and back along the other is a loop W from the start of the
    link. The perceptron reads Re tr W / N, Im tr W / N and |v|^2 of the link. It returns two
    numbers for each plane: t is the sum of the first times dS_W, S_W = -Re tr W / N, and q is the
    sum of the second.
    """

    function: PlaneFunction

    def __call__(self, x: Field, v: Field, frozen: Bool[Array, "d ..."], time: Time) -> Outputs:
        function, group = self.function, self.function.group
        square = 2 * group.kinetic_energy(v)

        def along(mu: int) -> tuple[Field, Numbers]:
            others = [nu for nu in range(len(x)) if nu != mu]
            ways = [[side(group, x, mu, nu, sign) for sign in (1, -1)] for nu in others]
            loops = [group.multiply(there, group.adjoint(back)) for there, back in ways]
            slopes, factors = function.of_planes(loops, [square[mu]] * len(others), time)
            t = sum(group.expanded(a) * group.trace_gradient(w) for a, w in zip(slopes, loops))
            q = function.on_links(jnp.sum(factors, axis=0))
            return jnp.zeros_like(v).at[mu].set(t), jnp.zeros_like(v.real).at[mu].set(q)

        active = jnp.any(~frozen, axis=range(1, frozen.ndim))
        directions = [lambda mu=mu: along(mu) for mu in range(len(x))]
        t, q = jax.lax.switch(jnp.argmax(active), directions)
        return Outputs(None, t, q)


def sum_beside(numbers: Float[Array, "plane ..."]) -> Float[Array, "d ..."]:
    """For each link the sum of the numbers of its 2 (d - 1) plaquettes."""
    dimensions = numbers.ndim - 1
    sums = [jnp.zeros_like(numbers[0])] * dimensions
    for (mu, nu), of_plane in zip(planes(dimensions), numbers):
        sums[mu] = sums[mu] + of_plane + shift(of_plane, nu, -1)
        sums[nu] = sums[nu] + of_plane + shift(of_plane, mu, -1)
    return jnp.stack(sums)


def traces(group: Group, loops: Field) -> tuple[Numbers, Numbers]:
    """Re tr / N and Im tr / N of loops."""
    if not group.link_shape:
        return cosine(loops), sine(loops)
    trace = jnp.trace(loops, axis1=-2, axis2=-1) / loops.shape[-1]
    return trace.real, trace.imag
