"""Where XLA shall not fuse loops."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def alone(negative: Float[Array, ""], f: Callable[..., Any], *arguments: Any) -> Any:
    """f(*arguments), in a branch of its own, which is taken because the number is negative.

    XLA does not know that. On CPUs it would make f a part of all the loops that read its results,
    and do it anew for every one of them; a branch has its own loops, also in the reverse pass.
    Barriers of optimisation do not help: XLA drops them before it fuses.
    """
    shapes = jax.eval_shape(f, *arguments)

    def never(*_: Any) -> Any:
        return jax.tree.map(lambda one: jnp.zeros(one.shape, one.dtype), shapes)

    return jax.lax.cond(~(negative >= 0), f, never, *arguments)
