"""Gauge-equivariant networks for the generalised leapfrog of two-dimensional U(1).

A gauge transformation moves links and leaves loops, forces and momenta as they are. So networks
that read loops and momenta, and shift links, commute with it.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Key

from gaugemc.groups import U1, cosine, sine
from gaugemc.lattice import shift, wilson_loops
from gaugemc.samplers.generalised_leapfrog import MomentumNetwork, PositionNetwork, Time
from gaugemc.samplers.leapfrog_networks import bounded
from gaugemc.samplers.leapfrog_updates import Outputs
from gaugemc.samplers.perceptron import Perceptron
from gaugemc.theories import Links

Field = Float[Array, "2 x y"]
Fluxes = Float[Array, "x y"]

RECTANGLES = ((1, 1), (2, 1), (1, 2), (2, 2))
"""Extents of the loops that are read."""
_DERIVATIVES = 4


class LoopMomentum(MomentumNetwork):
    """v' = exp(e s / 2) v - (e / 2) (F exp(e q) + sum_k t_k C_k).

    s, q and t_k are functions of loops around each link. C_k are the derivatives of the sums of
    -cos of the plaquettes, of sin of the plaquettes (2 pi times the charge), and of -cos of the
    2 x 1 and 1 x 2 rectangles.
    """

    perceptron: Perceptron
    bound: float

    def __init__(
        self,
        key: Key[Array, ""],
        space: Links,
        *,
        hidden: Sequence[int],
        kernel_size: int = 3,
        bound: float = 4.0,
        compute_dtype: DTypeLike | None = None,
    ):
        check_plane(space)
        channels = (2 * len(RECTANGLES), *hidden, 2 * (2 + _DERIVATIVES))
        self.perceptron = Perceptron(key, channels, 2, kernel_size, space.real_dtype, compute_dtype)
        self.bound = bound

    def __call__(self, x: Field, force: Field, time: Time) -> Outputs:
        fluxes = rectangle_fluxes(x)
        cosines, sines = cosine(fluxes), sine(fluxes)
        outputs = self.perceptron(jnp.concatenate([cosines, sines]), time)
        s, q, *weights = outputs.reshape(2 + _DERIVATIVES, *x.shape)
        slopes = (
            sines[0],
            cosines[0],
            sines[1] + shift(sines[1], 0, -1),  # a rectangle's flux is that of two plaquettes
            sines[2] + shift(sines[2], 1, -1),
        )
        t = sum((w * link_derivative(g) for w, g in zip(weights, slopes)), jnp.zeros_like(x))
        return Outputs(bounded(s, self.bound), t, bounded(q, self.bound))


class LoopPosition(PositionNetwork):
    """x' = x + e (v exp(e q) + t) on active links; q and t read momenta and frozen loops.

    A loop is frozen if all of its links are: with masks of lines, every fourth 2 x 2 loop. The
    Moebius map of a link angle is not gauge-equivariant, so s = 0, and so is the log-det.
    """

    perceptron: Perceptron
    bound: float

    def __init__(
        self,
        key: Key[Array, ""],
        space: Links,
        *,
        hidden: Sequence[int],
        kernel_size: int = 3,
        bound: float = 4.0,
        compute_dtype: DTypeLike | None = None,
    ):
        check_plane(space)
        channels = (2 * len(RECTANGLES) + 2, *hidden, 4)
        self.perceptron = Perceptron(key, channels, 2, kernel_size, space.real_dtype, compute_dtype)
        self.bound = bound

    def __call__(self, x: Field, v: Field, frozen: Bool[Array, "2 x y"], time: Time) -> Outputs:
        fluxes = rectangle_fluxes(x)
        read = jnp.stack([frozen_loops(frozen, r, t) for r, t in RECTANGLES])
        loops = [jnp.where(read, f(fluxes), 0) for f in (cosine, sine)]
        q, t = self.perceptron(jnp.concatenate([*loops, v]), time).reshape(2, *x.shape)
        return Outputs(jnp.zeros_like(x), t, bounded(q, self.bound))


def rectangle_fluxes(x: Field) -> Float[Array, "rectangle x y"]:
    """The fluxes through all RECTANGLES at every site."""
    return jnp.stack([wilson_loops(U1(), x, 0, 1, r, t) for r, t in RECTANGLES])


def link_derivative(slope: Fluxes) -> Field:
    """Derivative by the links of sum_P f(x_P), from the slopes f'(x_P)."""
    return jnp.stack([slope - shift(slope, 1, -1), shift(slope, 0, -1) - slope])


def frozen_loops(frozen: Bool[Array, "2 x y"], r: int, t: int) -> Bool[Array, "x y"]:
    """Whether all links of the r x t rectangle at each site are frozen."""
    along_0 = jnp.stack([shift(frozen[0], 0, step) for step in range(r)]).all(0)
    along_1 = jnp.stack([shift(frozen[1], 1, step) for step in range(t)]).all(0)
    return along_0 & shift(along_0, 1, t) & along_1 & shift(along_1, 0, r)


def check_plane(space: Links) -> None:
    """Raise ValueError unless the space is two-dimensional U(1)."""
    if not (isinstance(space, Links) and space.has_charge):
        raise ValueError("gauge-equivariant networks of L2HMC: for two-dimensional U(1) only")
