"""U(1): a link is an angle."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Complex, Float, Key

from gaugemc.groups.group import Group, native_field
from gaugemc.kernels import native
from gaugemc.kernels.trigonometry import arctangent, cosine, sine, wrap

VonMisesLoop = tuple[Key[Array, ""], Float[Array, "..."], Bool[Array, "..."]]


def von_mises(key: Key[Array, ""], concentration: Float[Array, "..."]) -> Float[Array, "..."]:
    """Angles with density ~ exp(concentration cos(angle)), one for each concentration >= 0.

    Exact rejection from a wrapped Cauchy distribution (Best and Fisher 1979), which accepts 0.65 or
    more of its proposals. It is written in t = tan(angle / 2) and without differences of large
    numbers, so it is stable in float32 at any concentration, zero included.
    """
    dtype, shape = concentration.dtype, concentration.shape
    rate = 2 * concentration
    root = jnp.hypot(jnp.ones((), dtype), rate)
    lowest = (1 + 1 / (root + rate)) / 2
    width = jnp.sqrt(2 * lowest / (1 + root + rate))

    def propose(loop: VonMisesLoop) -> VonMisesLoop:
        key, t, done = loop
        key, proposal_key, accept_key = jax.random.split(key, 3)
        half_angle = jax.random.uniform(proposal_key, shape, dtype, -np.pi / 2, np.pi / 2)
        proposal = width * jnp.tan(half_angle)
        c = lowest + rate * proposal**2 / (1 + proposal**2)
        accepted = jax.random.uniform(accept_key, shape, dtype) < c * jnp.exp(1 - c)
        return key, jnp.where(done, t, proposal), done | accepted

    start = (key, jnp.zeros(shape, dtype), jnp.zeros(shape, bool))
    t = jax.lax.while_loop(lambda loop: ~jnp.all(loop[2]), propose, start)[1]
    return 2 * arctangent(t)


class U1(Group):
    """The group of phases exp(i x), stored as real angles x in [-pi, pi).

    Products are sums of angles and are not wrapped: only `project`, `random` and `angle` promise
    the interval. The measure is dx, so the volume is 2 pi. With `native=False` there are no
    compiled kernels: XLA's code runs.
    """

    native: bool = native_field()

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
    def unit_beta(self) -> float:
        return 1.0

    def dtype(self, real: DTypeLike) -> DTypeLike:
        return real

    def kernels(self, dtype: DTypeLike) -> frozenset[str]:
        return native.kernels(1, dtype) if self.native else frozenset()

    def without_kernels(self) -> "U1":
        return U1(native=False)

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

    def exp(self, v: Float[Array, "..."], largest: float | None = None) -> Float[Array, "..."]:
        return v

    def tangent(self, u: Float[Array, "..."], v: Float[Array, "..."]) -> Float[Array, "..."]:
        return v

    def project(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return wrap(u)

    def trace(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return cosine(u)

    def angle(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return wrap(u)

    def trace_gradient(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return sine(u)

    def left_derivative(
        self, u: Float[Array, "..."], gradient: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        return gradient

    def kinetic_energy(self, v: Float[Array, "..."]) -> Float[Array, "..."]:
        return v**2 / 2

    def sum_staples(
        self, staples: Sequence[Float[Array, "..."]], coupling: Float[Array, ""]
    ) -> Complex[Array, "..."]:
        total = sum(jax.lax.complex(jnp.cos(angle), jnp.sin(angle)) for angle in staples)
        return coupling * jnp.asarray(total)

    def staple_gradient(
        self, u: Float[Array, "..."], staples: Complex[Array, "..."]
    ) -> Float[Array, "..."]:
        return staples.real * jnp.sin(u) + staples.imag * jnp.cos(u)

    def staple_hessian(
        self, u: Float[Array, "..."], staples: Complex[Array, "..."]
    ) -> Float[Array, "... 1 1"]:
        return (staples.real * jnp.cos(u) - staples.imag * jnp.sin(u))[..., None, None]

    def components(self, v: Float[Array, "..."]) -> Float[Array, "... 1"]:
        return v[..., None]

    def element(self, components: Float[Array, "... 1"]) -> Float[Array, "..."]:
        return components[..., 0]

    @property
    def has_heatbath(self) -> bool:
        return True

    def draw_link(
        self, key: Key[Array, ""], u: Float[Array, "..."], staples: Complex[Array, "..."]
    ) -> Float[Array, "..."]:
        """An independent draw from a von Mises distribution around the mean angle -arg A."""
        deviation = von_mises(key, jnp.hypot(staples.real, staples.imag))
        return wrap(deviation - jnp.angle(staples))

    def reflect_link(
        self, u: Float[Array, "..."], staples: Complex[Array, "..."]
    ) -> Float[Array, "..."]:
        """The reflection of the angle about the mean angle, which is its own inverse."""
        return wrap(-2 * jnp.angle(staples) - u)
