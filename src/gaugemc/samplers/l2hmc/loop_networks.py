"""Gauge-equivariant networks for the generalised leapfrog of two-dimensional U(1).

A gauge transformation moves links and leaves loops, forces and momenta as they are. So networks
that read loops and momenta, and shift links, commute with it.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Key

from gaugemc.groups import U1
from gaugemc.kernels import on_links, sine
from gaugemc.lattice import plane_plaquettes, shift
from gaugemc.networks.perceptron import Perceptron
from gaugemc.samplers.l2hmc.network import MomentumNetwork, PositionNetwork, Time
from gaugemc.samplers.l2hmc.networks import bounded
from gaugemc.samplers.l2hmc.updates import Outputs
from gaugemc.spaces import Links, is_u1_2d

Field = Float[Array, "2 x y"]
Fluxes = Float[Array, "x y"]


class LoopMomentum(MomentumNetwork):
    """v' = exp(e s / 2) v - (e / 2) (F exp(e q) + t), t the derivative of a sum over plaquettes.

    A network reads cos x_P and sin x_P of k x k plaquettes, and returns three numbers for each
    plaquette. With g_P the first number, t is sum_P g_P dx_P / dx. The other two numbers are added
    over the plaquettes beside a link, and make s and q of the link.
    """

    perceptron: Perceptron
    bound: float

    def __init__(
        self,
        key: Key[Array, ""],
        space: Links,
        *,
        hidden: Sequence[int],
        kernel_size: int = 1,
        bound: float = 4.0,
        compute_dtype: DTypeLike | None = None,
    ):
        channels = (2, *hidden, 3)
        self.perceptron = plane_perceptron(key, space, channels, kernel_size, compute_dtype)
        self.bound = bound

    def __call__(self, x: Field, force: Field, time: Time) -> Outputs:
        fluxes = plane_plaquettes(U1(), x, 0, 1)
        slope, *beside = self.perceptron([circle(fluxes)], time)
        log_scale, log_factor = (
            bounded(on_links(f + shift(f, 1, -1), f + shift(f, 0, -1)), self.bound) for f in beside
        )
        return Outputs(log_scale, link_derivative(slope), log_factor)


class LoopForce(MomentumNetwork):
    """v' = v - (e / 2) (F + t), t the derivative of a sum over plaquettes; nothing is scaled.

    As `LoopMomentum`, with g_P alone. With k = 1, t is the force of a further action of plaquettes,
    another one in each layer. Such a leapfrog preserves the volume of phase space.
    """

    perceptron: Perceptron

    def __init__(
        self,
        key: Key[Array, ""],
        space: Links,
        *,
        hidden: Sequence[int],
        kernel_size: int = 1,
        compute_dtype: DTypeLike | None = None,
    ):
        channels = (2, *hidden, 1)
        self.perceptron = plane_perceptron(key, space, channels, kernel_size, compute_dtype)

    def __call__(self, x: Field, force: Field, time: Time) -> Outputs:
        (slope,) = self.perceptron([circle(plane_plaquettes(U1(), x, 0, 1))], time)
        return Outputs(None, link_derivative(slope), None)


class LoopPosition(PositionNetwork):
    """x' = x + e (v exp(e q) + t) on active links; q and t read momenta and frozen loops.

    A network at every site reads the 2 x 2 loop around the site, if all links of the loop are
    frozen, and the momenta of the four links that meet at the site. With masks of lines, these are
    the links that move inside the loop. The network returns numbers for the four links. A link
    adds up the numbers from its two ends. The Moebius map of a link angle is not gauge-equivariant,
    so there is no s.
    """

    perceptron: Perceptron
    bound: float

    def __init__(
        self,
        key: Key[Array, ""],
        space: Links,
        *,
        hidden: Sequence[int],
        kernel_size: int = 1,
        bound: float = 4.0,
        compute_dtype: DTypeLike | None = None,
    ):
        channels = (6, *hidden, 8)
        self.perceptron = plane_perceptron(key, space, channels, kernel_size, compute_dtype)
        self.bound = bound

    def __call__(self, x: Field, v: Field, frozen: Bool[Array, "2 x y"], time: Time) -> Outputs:
        fluxes, read = surrounding_fluxes(x), surrounding_frozen(frozen)
        loops = jnp.where(read, circle(fluxes), 0)
        before = on_links(shift(v[0], 0, -1), shift(v[1], 1, -1))
        outputs = self.perceptron([loops, v, before], time)
        q, t = (
            o[:2] + on_links(shift(o[2], 0), shift(o[3], 1)) for o in (outputs[:4], outputs[4:])
        )
        return Outputs(None, t, bounded(q, self.bound))


def circle(fluxes: Fluxes) -> Field:
    """(cos, sin) of the fluxes."""
    quarter = np.asarray([np.pi / 2, 0], fluxes.dtype)
    return sine(fluxes + quarter[:, None, None])


def surrounding_fluxes(x: Field) -> Fluxes:
    """The flux through the 2 x 2 loop with each site at its centre."""
    along_0, along_1 = x[0] + shift(x[0], 0, -1), x[1] + shift(x[1], 1, -1)
    there = shift(along_0, 1, -1) + shift(along_1, 0)
    return there - shift(along_0, 1) - shift(along_1, 0, -1)


def surrounding_frozen(frozen: Bool[Array, "2 x y"]) -> Bool[Array, "x y"]:
    """Whether all links of the 2 x 2 loop around each site are frozen."""
    along_0, along_1 = frozen[0] & shift(frozen[0], 0, -1), frozen[1] & shift(frozen[1], 1, -1)
    return shift(along_0, 1, -1) & shift(along_0, 1) & shift(along_1, 0) & shift(along_1, 0, -1)


def link_derivative(slope: Fluxes) -> Field:
    """Derivative by the links of sum_P f(x_P), from the slopes f'(x_P)."""
    return on_links(slope - shift(slope, 1, -1), shift(slope, 0, -1) - slope)


def plane_perceptron(
    key: Key[Array, ""],
    space: Links,
    channels: Sequence[int],
    kernel_size: int,
    compute_dtype: DTypeLike | None,
) -> Perceptron:
    """A perceptron for the sites of a space; ValueError unless it is two-dimensional U(1)."""
    if not is_u1_2d(space):
        raise ValueError("gauge-equivariant networks of L2HMC: for two-dimensional U(1) only")
    return Perceptron(key, channels, 2, kernel_size, space.real_dtype, compute_dtype)
