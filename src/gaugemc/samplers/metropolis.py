"""The accept/reject step that makes a proposal exact."""

from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from gaugemc.samplers.sampler import Info

State = TypeVar("State")


def metropolis(
    key: Key[Array, ""], state: State, proposal: State, delta_h: Float[Array, ""]
) -> tuple[State, Info]:
    """Accept the proposal with probability min(1, exp(-delta_h)); a NaN is rejected."""
    delta_h = jnp.where(jnp.isnan(delta_h), jnp.inf, delta_h)
    acceptance = jnp.exp(-jnp.maximum(delta_h, 0))
    accepted = jax.random.uniform(key, dtype=jnp.float64) < acceptance
    state = jax.tree.map(lambda new, old: jnp.where(accepted, new, old), proposal, state)
    return state, Info(accepted, acceptance, delta_h, jnp.zeros((), jnp.int32))
