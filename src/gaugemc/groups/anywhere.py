"""Whether something holds anywhere, also in the other members of a batch."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool


@jax.custom_batching.custom_vmap
def anywhere(condition: Bool[Array, "..."]) -> Bool[Array, ""]:
    """Whether the condition holds in any entry, and under `vmap` in any of any member.

    So `lax.cond` keeps its two branches under `vmap`. On a condition for each member it would
    compute both branches for all of them.
    """
    return jnp.any(condition)


@anywhere.def_vmap
def _anywhere_in_batch(
    axis_size: int, in_batched: list[bool], condition: Bool[Array, "..."]
) -> tuple[Bool[Array, ""], bool]:
    return anywhere(condition), False
