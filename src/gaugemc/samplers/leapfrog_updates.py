"""The updates of one layer of the generalised leapfrog, and their exact inverses."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from gaugemc.flows.moebius import moebius_mixture
from gaugemc.groups import wrap
from gaugemc.theories import Links, Space, total

Field = Float[Array, "..."]
Mask = Bool[Array, "..."]
Scalar = Float[Array, ""]
Backward = Bool[Array, ""]


class Outputs(NamedTuple):
    """What a network says of an update, each of the field's shape; zeros make it a leapfrog."""

    s: Field | None
    """Log of the scale, in units of the step; None where there is no scaling."""
    t: Field
    """The shift, in units of the step."""
    q: Field
    """Log of the factor of the force or the momentum, in units of the step."""


def kick(
    v: Field, force: Field, outputs: Outputs, e: Scalar, backward: Backward
) -> tuple[Field, Scalar]:
    """The momentum update or its inverse, and the log-det."""
    sign = jnp.where(backward, -1, 1)
    push = e / 2 * (force * jnp.exp(e * outputs.q) + outputs.t)
    if outputs.s is None:
        return v - sign * push, jnp.zeros((), jnp.float64)
    exponent = sign * (e / 2 * outputs.s)
    scale = jnp.exp(exponent)
    return scale * v + jnp.where(backward, scale, -1) * push, total(exponent)


def drift(
    x: Field, v: Field, frozen: Mask, outputs: Outputs, e: Scalar, backward: Backward
) -> tuple[Field, Scalar]:
    """The position update of R^n or its inverse, and the log-det."""
    sign = jnp.where(backward, -1, 1)
    shift = e * (v * jnp.exp(e * outputs.q) + outputs.t)
    if outputs.s is None:
        return jnp.where(frozen, x, x + sign * shift), jnp.zeros((), jnp.float64)
    exponent = sign * (e * outputs.s)
    scale = jnp.exp(exponent)
    moved = scale * x + jnp.where(backward, -scale, 1) * shift
    return jnp.where(frozen, x, moved), total(jnp.where(frozen, 0, exponent))


def turn(
    x: Field, v: Field, frozen: Mask, outputs: Outputs, e: Scalar, backward: Backward
) -> tuple[Field, Scalar]:
    """The position update of angles or its inverse, and the log-det."""
    if outputs.s is None:
        moved, log_det = drift(x, v, frozen, outputs, e, backward)
        return wrap(moved), log_det
    exponent = jnp.where(backward, -1, 1) * (e * outputs.s)
    shift = e * (v * jnp.exp(e * outputs.q) + outputs.t)
    start = jnp.where(backward, wrap(x - shift), x)
    moved, slope = moebius_mixture(start, jnp.exp(exponent)[None], 1.0)
    moved = wrap(moved + jnp.where(backward, 0, shift))
    return jnp.where(frozen, x, moved), total(jnp.where(frozen, 0, slope))


def position_map(
    space: Space,
) -> Callable[[Field, Field, Mask, Outputs, Scalar, Backward], tuple[Field, Scalar]]:
    """The position update of a space.

    Raises:
        ValueError: links of a group other than U(1).
    """
    if not isinstance(space, Links):
        return drift
    if space.group.link_shape:
        raise ValueError(f"L2HMC: angles and vectors only, not links of {space.group.name}")
    return turn
