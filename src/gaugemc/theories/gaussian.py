"""A Gaussian on Euclidean space: the toy on which every moment is known."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gaugemc.arrays import Field, Scalar
from gaugemc.spaces import Euclidean, total
from gaugemc.theories.theory import Theory


class Gaussian(Theory):
    """S = (x - mean)^T precision (x - mean) / 2 for vectors x of length n.

    Observables: the mean of x's components and of their squares, and `widest`, the deviation from
    the mean along the axis of the largest variance, with its square.
    """

    space: Euclidean
    mean: Float[Array, " n"]
    covariance: Float[Array, "n n"]
    precision: Float[Array, "n n"]
    axis: Float[Array, " n"]
    title: str

    def __init__(
        self,
        mean: Float[Array, " n"],
        covariance: Float[Array, "n n"],
        title: str | None = None,
        start: float = 1.0,
    ):
        """`start` is the width of the reference measure, from which hot chains start."""
        self.space = Euclidean(mean.shape, mean.dtype, start)
        self.mean = mean
        self.covariance = covariance
        self.precision = jnp.linalg.inv(covariance)
        self.axis = jnp.linalg.eigh(covariance)[1][:, -1]
        self.title = title or f"{mean.size}D Gaussian"

    @property
    def name(self) -> str:
        return self.title

    @property
    def leading(self) -> tuple[str, ...]:
        return ("widest", "widest_squared")

    def action(self, x: Field) -> Scalar:
        d = x - self.mean
        return total(d * (self.precision @ d)) / 2

    def force(self, x: Field) -> Field:
        return self.precision @ (x - self.mean)

    def observables(self, x: Field) -> dict[str, Scalar]:
        widest = total(self.axis * (x - self.mean))
        return {
            "mean": jnp.mean(x),
            "mean_square": jnp.mean(x**2),
            "widest": widest,
            "widest_squared": widest**2,
        }

    def exact_observables(self) -> dict[str, float]:
        """The exact means of the observables."""
        mean, covariance, axis = (
            np.asarray(a, np.float64) for a in (self.mean, self.covariance, self.axis)
        )
        return {
            "mean": float(mean.mean()),
            "mean_square": float(np.mean(mean**2 + np.diag(covariance))),
            "widest": 0.0,
            "widest_squared": float(axis @ covariance @ axis),
        }
