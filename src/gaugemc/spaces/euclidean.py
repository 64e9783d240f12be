"""Euclidean space."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

from gaugemc.arrays import Field, Scalar
from gaugemc.spaces.space import Space, check_real, extents, total


class Euclidean(Space):
    """R^n with a normal reference measure of standard deviation `width`."""

    shape: tuple[int, ...] = eqx.field(converter=lambda shape: extents("shape", shape))
    dtype: DTypeLike = jnp.float64
    width: float = 1.0

    def __check_init__(self) -> None:
        if not self.width > 0:
            raise ValueError(f"width {self.width}: must be positive")
        check_real(self.dtype)

    @property
    def field_shape(self) -> tuple[int, ...]:
        return self.shape

    @property
    def real_dtype(self) -> DTypeLike:
        return self.dtype

    def random(self, key: Key[Array, ""]) -> Field:
        return self.width * jax.random.normal(key, self.shape, self.dtype)

    def origin(self) -> Field:
        return jnp.zeros(self.shape, self.dtype)

    def log_reference(self, x: Field) -> Scalar:
        return -total((x / self.width) ** 2) / 2 - x.size * np.log(2 * np.pi * self.width**2) / 2

    def random_momentum(self, key: Key[Array, ""]) -> Field:
        return jax.random.normal(key, self.shape, self.dtype)

    def kinetic_energy(self, v: Field) -> Scalar:
        return total(v**2) / 2

    def square(self, v: Field) -> Float[Array, "..."]:
        return v**2

    def move(self, x: Field, v: Field, dt: Scalar | float) -> Field:
        return x + jnp.asarray(dt, self.dtype) * v

    def project(self, x: Field) -> Field:
        return x

    def distance(self, x: Field, y: Field) -> Scalar:
        return jnp.max(jnp.abs(y - x))

    def gradient(self, f: Callable[[Field], Scalar]) -> Callable[[Field], Field]:
        return jax.grad(f)

    def value_and_gradient(
        self, f: Callable[[Field], Scalar]
    ) -> Callable[[Field], tuple[Scalar, Field]]:
        return jax.value_and_grad(f)
