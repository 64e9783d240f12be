"""What arrays are, in signatures."""

import jax
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Shaped

Field = Shaped[Array, "..."]
"""One configuration or one momentum, of the shape that its space says."""
Scalar = Float[Array, ""]


def known(value: object) -> bool:
    """Whether something has a value now, and is not a traced or abstract array."""
    return not isinstance(value, Tracer | jax.ShapeDtypeStruct)


def is_positive(value: ArrayLike) -> bool:
    """Whether this is one positive, finite number."""
    number = np.asarray(value)
    return number.ndim == 0 and number.dtype.kind in "iuf" and bool(0 < number < np.inf)
