"""Objects in float64: rounding must not hide a mistake, nor look like one."""

import dataclasses
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

_LESS = ("float16", "bfloat16", "float32", "complex64")


def in_float64(part: Any) -> Any:
    """The same object with the arrays and the types in its modules in float64 or complex128."""
    if isinstance(part, eqx.Module):
        copy = object.__new__(type(part))
        for field in dataclasses.fields(part):
            if hasattr(part, field.name):
                object.__setattr__(copy, field.name, in_float64(getattr(part, field.name)))
        return copy
    if isinstance(part, dict):
        return {key: in_float64(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        parts = [in_float64(value) for value in part]
        return type(part)(*parts) if hasattr(part, "_fields") else type(part)(parts)
    if eqx.is_inexact_array(part):
        return part.astype(jnp.result_type(part, jnp.float64))
    return np.float64 if names_less(part) else part


def names_less(part: Any) -> bool:
    """Whether something names a floating-point type of less than float64."""
    if isinstance(part, str):
        return part in _LESS
    if isinstance(part, np.dtype):
        return part.name in _LESS
    is_type = isinstance(part, type) or (hasattr(part, "dtype") and callable(part))
    return is_type and getattr(part, "__name__", "") in _LESS
