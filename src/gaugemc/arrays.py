"""What arrays are, in signatures."""

import jax
from jax.core import Tracer
from jaxtyping import Array, Float, Shaped

Field = Shaped[Array, "..."]
"""One configuration or one momentum, of the shape that its space says."""
Scalar = Float[Array, ""]


def known(value: object) -> bool:
    """Whether something has a value now, and is not a traced or abstract array."""
    return not isinstance(value, Tracer | jax.ShapeDtypeStruct)
