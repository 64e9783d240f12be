"""Where XLA shall not fuse loops."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def alone(f: Callable[..., Any], *arguments: Any) -> Any:
    """f(*arguments), in a branch of its own.

    It is always taken, but XLA does not know. On CPUs it would make f a part of all the loops that
    read its results, and do it anew for every one of them; a branch has its own loops, also in the
    reverse pass. A barrier of optimisation around f would not do: XLA drops those before it fuses.
    Accelerators wait for the host at a branch, and get f as it is.
    """
    if jax.default_backend() != "cpu":
        return f(*arguments)
    shapes = jax.eval_shape(f, *arguments)

    def never(*_: Any) -> Any:
        return jax.tree.map(lambda one: jnp.zeros(one.shape, one.dtype), shapes)

    return jax.lax.cond(jax.lax.optimization_barrier(True), f, never, *arguments)
