"""The state of our optimiser, in the hands of another framework's Adam."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, PyTree

from gaugemc.training.schedule import PlateauState

_KINDS = (optax.ScaleByAdamState, optax.ScaleByScheduleState, PlateauState)
"""The parts of our optimiser's state that change."""


class Moments(NamedTuple):
    """What Adam remembers: its steps, and two arrays for each trained one."""

    count: int
    mu: Sequence[Array]
    nu: Sequence[Array]
    plateau: PlateauState | None
    """Of the learning rate, with the schedule "plateau"."""


def moments_in(state: PyTree) -> Moments:
    """The moments in a state of `descent.in_jax`.

    Raises:
        ValueError: a parameter is complex, where frameworks have different second moments.
    """
    parts = jax.tree.leaves(state, is_leaf=lambda part: isinstance(part, _KINDS))
    (adam,) = (part for part in parts if isinstance(part, optax.ScaleByAdamState))
    plateau = next((part for part in parts if isinstance(part, PlateauState)), None)
    mu, nu = jax.tree.leaves(adam.mu), jax.tree.leaves(adam.nu)
    if any(jnp.iscomplexobj(moment) for moment in mu):
        raise ValueError("a trained array is complex: Adam of JAX and of others differ there")
    return Moments(int(np.asarray(adam.count)), mu, nu, plateau)


def with_moments(state: PyTree, now: Moments) -> PyTree:
    """The state with other moments."""
    count = jnp.asarray(now.count, jnp.int32)

    def later(part: Any) -> Any:
        match part:
            case optax.ScaleByAdamState(mu=mu, nu=nu):
                structures = jax.tree.structure(mu), jax.tree.structure(nu)
                filled = map(jax.tree.unflatten, structures, (now.mu, now.nu))
                return optax.ScaleByAdamState(count, *filled)
            case optax.ScaleByScheduleState():
                return optax.ScaleByScheduleState(count)
            case PlateauState():
                return now.plateau
        return part

    return jax.tree.map(later, state, is_leaf=lambda part: isinstance(part, _KINDS))
