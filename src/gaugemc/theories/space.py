"""The manifolds that fields live on: Euclidean space and the links of a lattice."""

import abc
import operator
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key, Shaped

from gaugemc.groups import Group

Field = Shaped[Array, "..."]
Scalar = Float[Array, ""]


def total(density: Float[Array, "..."]) -> Scalar:
    """The sum of a density in float64, whatever the density's own type.

    Energies are differences of large sums; float32 sums would bias the acceptance. Without
    jax_enable_x64 JAX would silently sum in float32; then this function raises RuntimeError.
    """
    if jnp.result_type(float) != jnp.float64:
        raise RuntimeError(
            "gaugemc sums energies in float64: call jax.config.update('jax_enable_x64', True) first"
        )
    return jnp.sum(density, dtype=jnp.float64)


def extents(name: str, value: Sequence[int]) -> tuple[int, ...]:
    """A tuple of positive whole numbers; ValueError for anything else."""
    try:
        numbers = tuple(operator.index(n) for n in value)
    except TypeError:
        numbers = (0,)
    if any(n < 1 for n in numbers):
        raise ValueError(f"{name} {value!r}: give positive whole numbers, such as (8, 8)")
    return numbers


def check_real(dtype: DTypeLike) -> None:
    """Raise ValueError unless the physics can run in this type."""
    try:
        known = np.dtype(dtype) in (np.float32, np.float64)
    except TypeError:
        known = False
    if not known:
        raise ValueError(f"type {dtype!r}: the physics runs in float32 or float64")


class Space(eqx.Module):
    """The manifold of one field configuration, with its reference measure and its momenta."""

    @property
    @abc.abstractmethod
    def field_shape(self) -> tuple[int, ...]:
        """Shape of one configuration."""

    @property
    @abc.abstractmethod
    def real_dtype(self) -> DTypeLike:
        """The real type of the physics: float32 or float64."""

    @property
    def field_dtype(self) -> np.dtype:
        """Type of a configuration's entries."""
        return np.dtype(self.real_dtype)

    @property
    def name(self) -> str:
        """What lives there, for messages."""
        return f"fields of shape {list(self.field_shape)}"

    @property
    def has_charge(self) -> bool:
        """Whether configurations carry a topological charge: two-dimensional U(1)."""
        return False

    def check_shape(self, x: Field) -> None:
        """Raise ValueError unless x has the shape of one configuration."""
        if jnp.shape(x) != tuple(self.field_shape):
            raise ValueError(
                f"field of shape {list(jnp.shape(x))}: {self.name} have shape "
                f"{list(self.field_shape)}; use jax.vmap for many at once"
            )

    def check(self, x: Field) -> None:
        """Raise ValueError unless x has the shape and the type of one configuration."""
        self.check_shape(x)
        if jnp.result_type(x) != self.field_dtype:
            raise ValueError(
                f"field of type {jnp.result_type(x)}: {self.name} have type "
                f"{self.field_dtype}; convert it with jnp.asarray(x, dtype)"
            )

    @abc.abstractmethod
    def random(self, key: Key[Array, ""]) -> Field:
        """A draw from the reference measure: a hot start."""

    @abc.abstractmethod
    def origin(self) -> Field:
        """The ordered configuration: a cold start."""

    @abc.abstractmethod
    def log_reference(self, x: Field) -> Scalar:
        """Log density of the reference measure at x."""

    @abc.abstractmethod
    def random_momentum(self, key: Key[Array, ""]) -> Field:
        """A momentum with unit normal components."""

    @abc.abstractmethod
    def kinetic_energy(self, v: Field) -> Scalar:
        """Half the squared norm of the momentum, summed in float64."""

    @abc.abstractmethod
    def square(self, v: Field) -> Float[Array, "..."]:
        """The squared norm of the momentum of each component of R^n, or of each link.

        Of a shape that broadcasts against v. Gauge transformations leave it as it is.
        """

    @abc.abstractmethod
    def move(self, x: Field, v: Field, dt: Scalar | float) -> Field:
        """The exponential map: follow the momentum v from x for a time dt."""

    @abc.abstractmethod
    def project(self, x: Field) -> Field:
        """The nearest point of the space: removes what rounding has accumulated."""

    @abc.abstractmethod
    def distance(self, x: Field, y: Field) -> Scalar:
        """The largest distance of any component, for comparisons with rounding."""

    @abc.abstractmethod
    def gradient(self, f: Callable[[Field], Scalar]) -> Callable[[Field], Field]:
        """The derivative of a scalar function, a function from fields to momenta."""

    @abc.abstractmethod
    def value_and_gradient(
        self, f: Callable[[Field], Scalar]
    ) -> Callable[[Field], tuple[Scalar, Field]]:
        """As `gradient`, with the value of f."""


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
    def has_charge(self) -> bool:
        return self.group.winds and len(self.lattice) == 2

    @property
    def n_links(self) -> int:
        """The number of links."""
        return int(np.prod(self.shape))

    @property
    def dtype(self) -> DTypeLike:
        """Type of a configuration's entries."""
        return self.group.dtype(self.real)

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
        axes = tuple(range(-len(self.group.link_shape), 0))
        return jnp.expand_dims(2 * self.group.kinetic_energy(v), axes)

    def move(self, x: Field, v: Field, dt: Scalar | float) -> Field:
        return self.group.multiply(self.group.exp(jnp.asarray(dt, self.real) * v), x)

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
