"""What a space is: the manifold that fields live on."""

import abc
import operator
from collections.abc import Callable, Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

from gaugemc.arrays import Field, Scalar


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
