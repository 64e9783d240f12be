"""Where XLA shall not fuse loops."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool


def alone(f: Callable[..., Any], *arguments: Any) -> Any:
    """f(*arguments), in a branch of its own.

    The branch is always taken, but XLA does not know that. Without a branch XLA fuses f into every
    loop that reads its results, and each of these loops computes f again. Nothing is fused across a
    branch, neither in f nor in its reverse pass. An optimisation barrier around f would not help:
    XLA drops barriers before it fuses.

    Only CPUs get the branch. Accelerators would wait for the host at a branch, so they run f as it
    is.
    """
    if jax.default_backend() != "cpu":
        return f(*arguments)
    shapes = jax.eval_shape(f, *arguments)

    def never(*_: Any) -> Any:
        return jax.tree.map(lambda one: jnp.zeros(one.shape, one.dtype), shapes)

    return jax.lax.cond(jax.lax.optimization_barrier(True), f, never, *arguments)


def either(
    condition: Bool[Array, ""], yes: Callable[..., Any], no: Callable[..., Any], *arguments: Any
) -> Any:
    """yes(*arguments) or no(*arguments), in a branch and not a selection.

    So only one of the two is computed, and XLA fuses nothing across the branch. Without a branch
    XLA fuses both with whatever makes the arguments, such as exponentials with sums over
    neighbours, into scalar loops.
    """
    return jax.lax.cond(condition, yes, no, *arguments)
