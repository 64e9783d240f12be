"""What arrays are, in signatures."""

from jaxtyping import Array, Float, Shaped

Field = Shaped[Array, "..."]
"""One configuration or one momentum, of the shape that its space says."""
Scalar = Float[Array, ""]
