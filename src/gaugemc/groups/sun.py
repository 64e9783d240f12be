"""SU(N): a link is an N x N special unitary matrix."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Complex, Float, Int, Key

from gaugemc.groups.anywhere import anywhere
from gaugemc.groups.group import Group, native_field
from gaugemc.groups.subgroups import draw_subgroups, reflect_subgroups
from gaugemc.kernels import matmul, native

Matrix = Complex[Array, "... N N"]

_SERIES_RADIUS = 0.68
"""Norm up to which 16 terms of Taylor's series are exact to rounding in float64."""
_TAYLOR = [1 / math.factorial(k) for k in range(16)]


def dagger(u: Matrix) -> Matrix:
    """The Hermitian conjugate."""
    return jnp.conj(jnp.swapaxes(u, -1, -2))


def anti_hermitian_traceless(m: Matrix) -> Matrix:
    """The projection of a matrix on the algebra su(N)."""
    n = m.shape[-1]
    a = (m - dagger(m)) / 2
    trace = jnp.trace(a, axis1=-2, axis2=-1)[..., None, None] / n
    return a - trace * jnp.eye(n, dtype=m.dtype)


def _squarings(v: Matrix) -> Int[Array, "... 1 1"]:
    """How often the exponential of each matrix is squared: at least once, and once more each time
    that its norm is doubled."""
    v = jax.lax.stop_gradient(v)
    square = jnp.sum(v.real**2 + v.imag**2, axis=(-2, -1), keepdims=True)
    doublings = jnp.frexp(square * (1 / _SERIES_RADIUS**2))[1]
    most = most_squarings(v.dtype) + 1
    doublings = jnp.where(jnp.isfinite(square), (doublings + 1) // 2, most)
    return jnp.clip(doublings, 1, most)


def most_squarings(dtype: DTypeLike) -> int:
    """The number for the largest norm whose exponential means something, 1 / eps."""
    return math.ceil(-math.log2(float(jnp.finfo(dtype).eps) * _SERIES_RADIUS))


def _inverse_power_of_two(k: Int[Array, "..."], dtype: DTypeLike) -> Float[Array, "..."]:
    return jnp.ldexp(jnp.ones((), jnp.finfo(dtype).dtype), -k)


def _series(a: Matrix) -> Matrix:
    """exp(a) of small a."""
    a2 = matmul(a, a)
    a3 = matmul(a2, a)
    a4 = matmul(a2, a2)
    identity = jnp.eye(a.shape[-1], dtype=a.dtype)

    def block(k: int) -> Matrix:
        c = _TAYLOR[k : k + 4]
        return c[0] * identity + c[1] * a + c[2] * a2 + c[3] * a3

    result = block(12)
    for k in (8, 4, 0):
        result = matmul(result, a4) + block(k)
    return result


@jax.checkpoint
def _square_further(squarings: Int[Array, "... 1 1"], u: Matrix) -> Matrix:
    """Each matrix squared as often as it needs beyond once; NaN where it would need too many."""
    most = most_squarings(u.dtype)

    def square(u: Matrix, done: Int[Array, ""]) -> tuple[Matrix, None]:
        need = squarings > done
        squared = jax.lax.cond(
            anywhere(need), lambda u: jnp.where(need, matmul(u, u), u), lambda u: u, u
        )
        return squared, None

    u = jax.lax.scan(square, u, jnp.arange(1, most))[0]
    return jnp.where(squarings > most, jnp.nan, u)


def _real_traces(m: np.ndarray, u: Matrix) -> Float[Array, "..."]:
    """Re tr(m u) of constant matrices m, whose leading axes come last: a real dot."""
    flat = np.swapaxes(m, -1, -2).reshape(*m.shape[:-2], -1)
    of_parts = np.concatenate([np.real(flat), -np.imag(flat)], -1)
    parts = u.reshape(*u.shape[:-2], -1)
    parts = jnp.concatenate([parts.real, parts.imag], -1)
    weights = jnp.asarray(np.moveaxis(of_parts, -1, 0), parts.dtype)
    return jnp.tensordot(parts, weights, 1, precision="highest")


class SUN(Group):
    """The group SU(N), stored as complex matrices; generators with tr(T_a T_b) = -delta_ab / 2.

    The measure is the normalised Haar measure, so the volume is 1. With `native=False` there are
    no compiled kernels: XLA's code runs.
    """

    n: int
    native: bool = native_field()

    def __check_init__(self) -> None:
        if not isinstance(self.n, int | np.integer) or self.n < 2:
            raise ValueError(f"SU({self.n}): N must be a whole number, at least 2")

    @property
    def name(self) -> str:
        return f"SU({self.n})"

    @property
    def link_shape(self) -> tuple[int, ...]:
        return (self.n, self.n)

    @property
    def log_volume(self) -> float:
        return 0.0

    @property
    def unit_beta(self) -> float:
        return 2.0 * self.n

    def dtype(self, real: DTypeLike) -> DTypeLike:
        return jnp.result_type(real, jnp.complex64)

    def kernels(self, dtype: DTypeLike) -> frozenset[str]:
        return native.kernels(self.n, dtype) if self.native else frozenset()

    def without_kernels(self) -> "SUN":
        return dataclasses.replace(self, native=False)

    def identity(self, shape: tuple[int, ...], dtype: DTypeLike) -> Matrix:
        return jnp.broadcast_to(jnp.eye(self.n, dtype=dtype), (*shape, self.n, self.n))

    def random(self, key: Key[Array, ""], shape: tuple[int, ...], dtype: DTypeLike) -> Matrix:
        """Haar measure from the QR decomposition of a Ginibre matrix (math-ph/0609050)."""
        z = jax.random.normal(key, (*shape, self.n, self.n), dtype)
        q, r = jnp.linalg.qr(z)
        phase = jnp.diagonal(r, axis1=-2, axis2=-1)
        q = q * (phase / jnp.abs(phase))[..., None, :]
        return self._unit_determinant(q)

    @property
    def generators(self) -> np.ndarray:
        """The N^2 - 1 generators T_a = -i lambda_a / 2, shape (N^2 - 1, N, N)."""
        basis = []
        for j, k in itertools.combinations(range(self.n), 2):
            for entry in (-1j, -1):
                t = np.zeros((self.n, self.n), complex)
                t[j, k] = entry / 2
                basis.append(t - t.conj().T)
        for k in range(1, self.n):
            diagonal = np.array([1.0] * k + [-k] + [0.0] * (self.n - k - 1))
            basis.append(np.diag(-1j * diagonal / math.sqrt(2 * k * (k + 1))))
        return np.array(basis)

    def random_algebra(
        self, key: Key[Array, ""], shape: tuple[int, ...], dtype: DTypeLike
    ) -> Matrix:
        return self.element(jax.random.normal(key, (*shape, self.n**2 - 1), jnp.finfo(dtype).dtype))

    def components(self, v: Matrix) -> Float[Array, "... component"]:
        return _real_traces(-2 * self.generators, v)

    def element(self, components: Float[Array, "... component"]) -> Matrix:
        dtype = self.dtype(components.dtype)
        generators = jnp.asarray(self.generators, dtype)
        # A dot, so that XLA does not compute the components anew for every entry.
        return jnp.tensordot(components.astype(dtype), generators, 1, precision="highest")

    def multiply(self, a: Matrix, b: Matrix) -> Matrix:
        return matmul(a, b)

    def adjoint(self, a: Matrix) -> Matrix:
        return dagger(a)

    def transport(self, u: Matrix, v: Matrix) -> Matrix:
        return matmul(dagger(u), matmul(v, u))

    def exp(self, v: Matrix, largest: float | None = None) -> Matrix:
        """exp(v) by scaling and squaring of Taylor's series, to max(1, |v|) times the rounding.

        The rounding of v alone changes exp(v) by that much. Where |v| eps > 1, exp(v) means nothing
        and is NaN. The series is four blocks of four terms (Paterson and Stockmeyer 1973). It needs
        products alone and no eigenvalues. So values and derivatives are smooth where eigenvalues
        meet (compare hep-lat/0311018), and XLA runs one fused loop a product. The Cayley-Hamilton
        recurrence needs fewer operations, but XLA evaluates its scalars anew for every entry.
        """
        if largest is not None:
            halvings = max(0, math.ceil(math.log2(largest / _SERIES_RADIUS)))
            result = _series(v / 2**halvings)
            for _ in range(halvings):
                result = matmul(result, result)
            return result
        squarings = _squarings(v)
        result = _series(v * _inverse_power_of_two(squarings, v.dtype))
        result = matmul(result, result)  # the usual number, also of steps of molecular dynamics
        further = functools.partial(_square_further, squarings)
        return jax.lax.cond(anywhere(squarings > 1), further, lambda u: u, result)

    def tangent(self, u: Matrix, v: Matrix) -> Matrix:
        return matmul(v, u)

    def project(self, u: Matrix) -> Matrix:
        """Gram-Schmidt on the columns, then a unit determinant."""
        columns: list[Array] = []
        for k in range(self.n):
            c = u[..., :, k]
            for e in columns:
                c = c - e * jnp.sum(jnp.conj(e) * c, axis=-1, keepdims=True)
            norm = jnp.sqrt(jnp.sum(jnp.abs(c) ** 2, axis=-1, keepdims=True))
            columns.append(c / norm)
        return self._unit_determinant(jnp.stack(columns, axis=-1))

    def _unit_determinant(self, u: Matrix) -> Matrix:
        """A unitary matrix with its last column rephased so that the determinant is 1."""
        det = jnp.linalg.det(u)
        last = u[..., :, -1:] * (jnp.conj(det) / jnp.abs(det))[..., None, None]
        return jnp.concatenate([u[..., :, :-1], last], axis=-1)

    def trace(self, u: Matrix) -> Float[Array, "..."]:
        return jnp.trace(u, axis1=-2, axis2=-1).real / self.n

    def angle(self, u: Matrix) -> Float[Array, "..."]:
        return jnp.angle(jnp.linalg.det(u))

    def trace_gradient(self, u: Matrix) -> Matrix:
        return anti_hermitian_traceless(u) / (2 * self.n)

    def left_derivative(self, u: Matrix, gradient: Matrix) -> Matrix:
        # JAX's gradient g of a real f means df = Re sum(g du); here du = e T_a u.
        return -anti_hermitian_traceless(matmul(u, jnp.swapaxes(gradient, -1, -2))) / 2

    def sum_staples(self, staples: Sequence[Matrix], coupling: Float[Array, ""]) -> Matrix:
        return coupling * jnp.asarray(sum(staples))

    def staple_gradient(self, u: Matrix, staples: Matrix) -> Matrix:
        return self.trace_gradient(matmul(u, staples))

    def staple_hessian(self, u: Matrix, staples: Matrix) -> Float[Array, "... component component"]:
        pairs = np.einsum("aij,bjk->abik", self.generators, self.generators)
        return _real_traces(-pairs / self.n, matmul(u, staples))

    @property
    def has_heatbath(self) -> bool:
        return True

    def draw_link(self, key: Key[Array, ""], u: Matrix, staples: Matrix) -> Matrix:
        """Heatbath in each SU(2) subgroup in turn (Cabibbo and Marinari 1982)."""
        return draw_subgroups(key, u, matmul(u, staples))

    def reflect_link(self, u: Matrix, staples: Matrix) -> Matrix:
        """A reflection in each SU(2) subgroup in turn, each of which is its own inverse."""
        return reflect_subgroups(u, matmul(u, staples))

    def kinetic_energy(self, v: Matrix) -> Float[Array, "..."]:
        return jnp.sum(jnp.abs(v) ** 2, axis=(-2, -1))
