"""A Gaussian on Euclidean space: the toy on which every moment is known."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from gaugemc.theories.space import Euclidean, total
from gaugemc.theories.theory import Theory

Field = Shaped[Array, "..."]
Scalar = Float[Array, ""]


class Gaussian(Theory):
    """S = (x - mean)^T precision (x - mean) / 2 for vectors x of length n."""

    space: Euclidean
    mean: Float[Array, " n"]
    precision: Float[Array, "n n"]

    def __init__(self, mean: Float[Array, " n"], covariance: Float[Array, "n n"]):
        self.space = Euclidean(mean.shape, mean.dtype)
        self.mean = mean
        self.precision = jnp.linalg.inv(covariance)

    @property
    def name(self) -> str:
        return f"{self.mean.size}D Gaussian"

    def action(self, x: Field) -> Scalar:
        d = x - self.mean
        return total(d * (self.precision @ d)) / 2

    def force(self, x: Field) -> Field:
        return self.precision @ (x - self.mean)

    def observables(self, x: Field) -> dict[str, Scalar]:
        return {"mean": jnp.mean(x), "mean_square": jnp.mean(x**2)}
