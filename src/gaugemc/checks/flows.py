"""Checks of a flow: an invertible map of a space to itself, with the log-det that it claims."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Key

from gaugemc.arrays import Field, Scalar
from gaugemc.checks import maps
from gaugemc.checks.outcome import Check, bounded, failed
from gaugemc.checks.shapes import attempt, differences
from gaugemc.flows import Flow
from gaugemc.kernels.once import once
from gaugemc.spaces import Links, Space


def of_flow(flow: Flow, space: Space, key: Key[Array, ""]) -> dict[str, Check]:
    """Shapes, image, inverse and log-det of a flow."""
    checks = {"shapes": attempt(lambda: shapes(flow, space))}
    if not checks["shapes"].passed:
        return checks
    checks["image"] = attempt(lambda: image(flow, space, key))
    checks["inverse"] = attempt(lambda: maps.inverse(flow, space, key))
    checks["log_det"] = attempt(lambda: maps.log_det(flow, space, key))
    return checks


def shapes(flow: Flow, space: Space) -> Check:
    """Fields keep their shape and type; log-dets are float64 scalars."""
    wrong = []
    for name in ("forward", "inverse"):
        result = eqx.filter_eval_shape(getattr(flow, name), space.origin())
        if not (isinstance(result, tuple) and len(result) == 2):
            return failed(f"{name} must return a field and a log-det")
        field, log_det = result
        wrong += differences(f"{name}'s field", field, space.origin())
        wrong += differences(f"{name}'s log-det", log_det, jnp.zeros((), jnp.float64))
    return failed("; ".join(wrong)) if wrong else Check("passed")


def image(flow: Flow, space: Space, key: Key[Array, ""]) -> Check:
    """Largest distance of forward(z) from the space."""
    return bounded(maps.worst(_image_error, flow, space, key), maps.LIMIT)


@once
def _image_error(flow: Flow, space: Space, key: Key[Array, ""]) -> Scalar:
    return departure(space, flow.forward(space.random(key))[0])


def departure(space: Space, x: Field) -> Scalar:
    """How far a field is from the space: 0 but for rounding where links are group elements."""
    away = space.distance(x, space.project(x))
    if not isinstance(space, Links):
        return away
    # Distances of links do not feel a factor, for projections remove it.
    one = space.group.multiply(x, space.group.adjoint(x))
    return jnp.maximum(away, jnp.max(jnp.abs(one - space.origin())))
