"""What arrays are, in signatures."""

import jax
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Shaped

Field = Shaped[Array, "..."]
"""One configuration or one momentum, of the shape that its space says."""
Scalar = Float[Array, ""]


def known(value: ArrayLike) -> bool:
    """Whether a number has a value now, and is not traced or abstract."""
    return not isinstance(value, Tracer | jax.ShapeDtypeStruct)
