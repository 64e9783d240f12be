"""U(1): a link is an angle."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

from gaugemc.groups.group import Group


def wrap(angle: Float[Array, "..."]) -> Float[Array, "..."]:
    """The angle modulo 2 pi, in [-pi, pi); its derivative is 1 everywhere."""
    return angle - 2 * np.pi * jnp.floor(angle / (2 * np.pi) + 0.5)


class U1(Group):
    """The group of phases exp(i x), stored as real angles x in [-pi, pi).

    Products are sums of angles and are not wrapped: only `project`, `random` and `angle` promise
    the interval. The measure is dx, so the volume is 2 pi.
    """

    @property
    def name(self) -> str:
        return "U(1)"

    @property
    def link_shape(self) -> tuple[int, ...]:
        return ()

    @property
    def log_volume(self) -> float:
        return float(np.log(2 * np.pi))

    @property
    def winds(self) -> bool:
        return True

    def dtype(self, real: DTypeLike) -> DTypeLike:
        return real

    def identity(self, shape: tuple[int, ...], dtype: DTypeLike) -> Float[Array, "..."]:
        return jnp.zeros(shape, dtype)

    def random(
        self, key: Key[Array, ""], shape: tuple[int, ...], dtype: DTypeLike
    ) -> Float[Array, "..."]:
        return jax.random.uniform(key, shape, dtype, -np.pi, np.pi)

    def random_algebra(
        self, key: Key[Array, ""], shape: tuple[int, ...], dtype: DTypeLike
    ) -> Float[Array, "..."]:
        return jax.random.normal(key, shape, dtype)

    def multiply(self, a: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
        return a + b

    def adjoint(self, a: Float[Array, "..."]) -> Float[Array, "..."]:
        return -a

    def transport(self, u: Float[Array, "..."], v: Float[Array, "..."]) -> Float[Array, "..."]:
        return v

    def exp(self, v: Float[Array, "..."]) -> Float[Array, "..."]:
        return v

    def project(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return wrap(u)

    def trace(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.cos(u)

    def angle(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return wrap(u)

    def trace_gradient(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.sin(u)

    def left_derivative(
        self, u: Float[Array, "..."], gradient: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return gradient

    def kinetic_energy(self, v: Float[Array, "..."]) -> Float[Array, "..."]:
        return v**2 / 2
