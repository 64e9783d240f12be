"""The updates of one layer of the generalised leapfrog, and their exact inverses."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool

from gaugemc.arrays import Field, Scalar
from gaugemc.flows.circle.moebius import moebius_mixture
from gaugemc.kernels import either, wrap
from gaugemc.spaces import Links, Space, total

Mask = Bool[Array, "..."]
Backward = Bool[Array, ""]


class Outputs(NamedTuple):
    """The numbers of an update, one for each component of R^n or for each link; zeros make an
    ordinary leapfrog. On links of matrices t is a field, and s and q broadcast against one."""

    s: Field | None
    """Log of the scale, in units of the step; None where there is no scaling."""
    t: Field | None
    """The shift, in units of the step; None for no shift."""
    q: Field | None
    """Log of the factor of the force or the momentum, in units of the step; None for no factor."""

    def push(self, f: Field, e: Scalar) -> Field:
        """f exp(e q) + t of a force or a momentum."""
        f = f if self.q is None else f * jnp.exp(e * self.q)
        return f if self.t is None else f + self.t


def kick(
    components: int, v: Field, force: Field, outputs: Outputs, e: Scalar, backward: bool
) -> tuple[Field, Scalar]:
    """The momentum update or its inverse, and the log-det. Each s scales so many components."""
    push = e / 2 * outputs.push(force, e)
    if outputs.s is None:
        return v + push if backward else v - push, jnp.zeros((), jnp.float64)
    exponent = e / 2 * outputs.s
    if backward:
        return jnp.exp(-exponent) * (v + push), -components * total(exponent)
    return jnp.exp(exponent) * v - push, components * total(exponent)


def drift(
    x: Field, v: Field, frozen: Mask, outputs: Outputs, e: Scalar, backward: bool
) -> tuple[Field, Scalar]:
    """The position update of R^n or its inverse, and the log-det."""
    shift = e * outputs.push(v, e)
    if outputs.s is None:
        moved = x - shift if backward else x + shift
        return jnp.where(frozen, x, moved), jnp.zeros((), jnp.float64)
    exponent = e * outputs.s
    change = total(jnp.where(frozen, 0, exponent))
    if backward:
        return jnp.where(frozen, x, jnp.exp(-exponent) * (x - shift)), -change
    return jnp.where(frozen, x, jnp.exp(exponent) * x + shift), change


def turn(
    x: Field, v: Field, frozen: Mask, outputs: Outputs, e: Scalar, backward: bool
) -> tuple[Field, Scalar]:
    """The position update of angles or its inverse, and the log-det."""
    if outputs.s is None:
        moved, log_det = drift(x, v, frozen, outputs, e, backward)
        return wrap(moved), log_det
    exponent = e * outputs.s
    shift = e * outputs.push(v, e)
    if backward:
        moved, slope = moebius_mixture(wrap(x - shift), jnp.exp(-exponent)[None], 1.0)
    else:
        moved, slope = moebius_mixture(x, jnp.exp(exponent)[None], 1.0)
        moved = moved + shift
    return jnp.where(frozen, x, wrap(moved)), total(jnp.where(frozen, 0, slope))


def translate(
    space: Links, x: Field, v: Field, frozen: Mask, outputs: Outputs, e: Scalar, backward: bool
) -> tuple[Field, Scalar]:
    """The position update of links of matrices or its inverse: a left translation of each link.

    Translations keep the Haar measure, so the log-det is 0. There is no s.
    """
    moved = space.move(x, outputs.push(v, e), -e if backward else e)
    return jnp.where(frozen, x, moved), jnp.zeros((), jnp.float64)


def position_map(space: Space) -> Callable[..., tuple[Field, Scalar]]:
    """The position update of a space: `drift`, `turn`, or `translate` for links of matrices."""
    if not isinstance(space, Links):
        return drift
    return functools.partial(translate, space) if space.group.link_shape else turn


def momentum_map(space: Space) -> Callable[..., tuple[Field, Scalar]]:
    """The momentum update of a space, `kick`: a link of SU(N) has N^2 - 1 components."""
    n = space.group.link_shape[0] if isinstance(space, Links) and space.group.link_shape else None
    return functools.partial(kick, 1 if n is None else n**2 - 1)


def directed(
    update: Callable[..., tuple[Field, Scalar]],
    backward: Backward,
    *arguments: Field | Mask | Outputs,
) -> tuple[Field, Scalar]:
    """An update, or its inverse where the layer is traversed backward."""
    return either(
        backward,
        lambda *arguments: update(*arguments, backward=True),
        lambda *arguments: update(*arguments, backward=False),
        *arguments,
    )
