"""The links of a periodic lattice."""

from collections.abc import Callable
from typing import TypeGuard

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

from gaugemc.arrays import Field, Scalar
from gaugemc.groups import U1, Group
from gaugemc.kernels import native
from gaugemc.spaces.space import Space, check_real, extents, total


class Links(Space):
    """A group element on every link of a periodic lattice; the reference is the Haar measure.

    Configurations have shape (d, L_0, ..., L_{d-1}, *group.link_shape), d = len(lattice).
    """

    group: Group
    lattice: tuple[int, ...] = eqx.field(converter=lambda lattice: extents("lattice", lattice))
    real: DTypeLike = jnp.float64

    def __check_init__(self) -> None:
        if not isinstance(self.group, Group):
            raise ValueError(f"group {self.group!r}: give a group, such as U1() or SUN(3)")
        check_real(self.real)
        if len(self.lattice) < 2 or any(length < 2 for length in self.lattice):
            raise ValueError(
                f"lattice {list(self.lattice)}: needs two or more directions of at least 2 sites"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array of links, without the group's axes."""
        return (len(self.lattice), *self.lattice)

    @property
    def field_shape(self) -> tuple[int, ...]:
        return (*self.shape, *self.group.link_shape)

    @property
    def real_dtype(self) -> DTypeLike:
        return self.real

    @property
    def name(self) -> str:
        lattice = "x".join(map(str, self.lattice))
        return f"{len(self.lattice)}D {self.group.name} links on {lattice}"

    @property
    def n_links(self) -> int:
        """The number of links."""
        return int(np.prod(self.shape))

    @property
    def dtype(self) -> DTypeLike:
        """Type of a configuration's entries."""
        return self.group.dtype(self.real)

    @property
    def kernels(self) -> frozenset[str]:
        """The names of the compiled kernels for these links."""
        return self.group.kernels(self.dtype)

    @property
    def field_dtype(self) -> np.dtype:
        return np.dtype(self.dtype)

    def random(self, key: Key[Array, ""]) -> Field:
        return self.group.random(key, self.shape, self.dtype)

    def origin(self) -> Field:
        return self.group.identity(self.shape, self.dtype)

    def log_reference(self, x: Field) -> Scalar:
        return jnp.asarray(-self.n_links * self.group.log_volume, jnp.float64)

    def random_momentum(self, key: Key[Array, ""]) -> Field:
        return self.group.random_algebra(key, self.shape, self.dtype)

    def kinetic_energy(self, v: Field) -> Scalar:
        return total(self.group.kinetic_energy(v))

    def square(self, v: Field) -> Float[Array, "..."]:
        return self.group.expanded(2 * self.group.kinetic_energy(v))

    def move(self, x: Field, v: Field, dt: Scalar | float) -> Field:
        dt = jnp.asarray(dt, self.real)
        ours = all(a.shape == self.field_shape and a.dtype == self.dtype for a in (x, v))
        if ours and "move" in self.kernels:
            return native.twinned(native.move, self._move)(x, v, dt)
        return self._move(x, v, dt)

    def _move(self, x: Field, v: Field, dt: Scalar) -> Field:
        return self.group.multiply(self.group.exp(dt * v), x)

    def project(self, x: Field) -> Field:
        return self.group.project(x)

    def distance(self, x: Field, y: Field) -> Scalar:
        turned = self.project(self.group.multiply(y, self.group.adjoint(x)))
        return jnp.max(jnp.abs(turned - self.origin()))

    def gradient(self, f: Callable[[Field], Scalar]) -> Callable[[Field], Field]:
        return lambda x: self.group.left_derivative(x, jax.grad(f)(x))

    def value_and_gradient(
        self, f: Callable[[Field], Scalar]
    ) -> Callable[[Field], tuple[Scalar, Field]]:
        def both(x: Field) -> tuple[Scalar, Field]:
            value, gradient = jax.value_and_grad(f)(x)
            return value, self.group.left_derivative(x, gradient)

        return both


def is_u1_2d(space: Space) -> TypeGuard[Links]:
    """Whether a space is the links of two-dimensional U(1), which carry an integer charge."""
    return isinstance(space, Links) and isinstance(space.group, U1) and len(space.lattice) == 2
