"""Shapes and types of what a user's object returns, and what it raises instead."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from gaugemc.checks.outcome import Check, failed


def attempt(check: Callable[[], Check]) -> Check:
    """The outcome of a check; what the checked object raises is a failure."""
    try:
        return check()
    except Exception as error:
        return failed(raised(error))


def raised(error: Exception) -> str:
    """An exception in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def differences(name: str, found: Any, wanted: Any) -> list[str]:
    """How an array's shape and type differ from what they must be."""
    if not hasattr(found, "shape") or not hasattr(found, "dtype"):
        return [f"{name} is a {type(found).__name__}, not an array"]
    wrong = []
    if tuple(found.shape) != tuple(wanted.shape):
        wrong.append(f"{name} has shape {tuple(found.shape)}, not {tuple(wanted.shape)}")
    if jnp.dtype(found.dtype) != jnp.dtype(wanted.dtype):
        sums = "; sum with gaugemc.theories.total" if wanted.shape == () else ""
        wrong.append(f"{name} is {found.dtype}, not {wanted.dtype}{sums}")
    return wrong
