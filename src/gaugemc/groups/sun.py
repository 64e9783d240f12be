"""SU(N): a link is an N x N special unitary matrix."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Complex, Float, Key

from gaugemc.groups.group import Group

Matrix = Complex[Array, "... N N"]

_TAYLOR_ORDER = 18  # of exp after scaling by 4: below rounding in float64 for norms up to 8
_SQUARINGS = 2


def dagger(u: Matrix) -> Matrix:
    """The Hermitian conjugate."""
    return jnp.conj(jnp.swapaxes(u, -1, -2))


def matmul(a: Matrix, b: Matrix) -> Matrix:
    """The matrix product, as elementwise arithmetic: XLA fuses it, batched 3 x 3 products it does not."""
    return jnp.sum(a[..., :, :, None] * b[..., None, :, :], axis=-2)


def anti_hermitian_traceless(m: Matrix) -> Matrix:
    """The projection of a matrix on the algebra su(N)."""
    n = m.shape[-1]
    a = (m - dagger(m)) / 2
    trace = jnp.trace(a, axis1=-2, axis2=-1)[..., None, None] / n
    return a - trace * jnp.eye(n, dtype=m.dtype)


class SUN(Group):
    """The group SU(N), stored as complex matrices; generators with tr(T_a T_b) = -delta_ab / 2.

    The measure is the normalised Haar measure, so the volume is 1.
    """

    n: int

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
    def winds(self) -> bool:
        return False

    def dtype(self, real: DTypeLike) -> DTypeLike:
        return jnp.result_type(real, jnp.complex64)

    def identity(self, shape: tuple[int, ...], dtype: DTypeLike) -> Matrix:
        return jnp.broadcast_to(jnp.eye(self.n, dtype=dtype), (*shape, self.n, self.n))

    def random(self, key: Key[Array, ""], shape: tuple[int, ...], dtype: DTypeLike) -> Matrix:
        """Haar measure from the QR decomposition of a Ginibre matrix (math-ph/0609050)."""
        z = jax.random.normal(key, (*shape, self.n, self.n), dtype)
        q, r = jnp.linalg.qr(z)
        phase = jnp.diagonal(r, axis1=-2, axis2=-1)
        q = q * (phase / jnp.abs(phase))[..., None, :]
        return self._unit_determinant(q)

    def random_algebra(
        self, key: Key[Array, ""], shape: tuple[int, ...], dtype: DTypeLike
    ) -> Matrix:
        """Normal components: the projection of a matrix of normals is normal in the algebra."""
        real = jnp.finfo(dtype).dtype
        parts = jax.random.normal(key, (2, *shape, self.n, self.n), real)
        return anti_hermitian_traceless(jax.lax.complex(parts[0], parts[1])) / np.sqrt(2).astype(
            real
        )

    def multiply(self, a: Matrix, b: Matrix) -> Matrix:
        return matmul(a, b)

    def adjoint(self, a: Matrix) -> Matrix:
        return dagger(a)

    def transport(self, u: Matrix, v: Matrix) -> Matrix:
        return matmul(dagger(u), matmul(v, u))

    def exp(self, v: Matrix) -> Matrix:
        """exp(v) by Taylor's series, reduced with the Cayley-Hamilton theorem, and squaring.

        v^N is a combination of lower powers whose coefficients are those of the characteristic
        polynomial, so the series is a recurrence of N scalars. No eigenvalue is ever computed:
        values and derivatives are smooth where eigenvalues meet (compare hep-lat/0311018).
        """
        a = v * 2.0**-_SQUARINGS
        powers = [jnp.broadcast_to(jnp.eye(self.n, dtype=v.dtype), v.shape), a]
        for _ in range(2, self.n):
            powers.append(matmul(powers[-1], a))
        # Newton's identities: v^N = sum_k reduction[k] v^k.
        traces = [jnp.trace(p, axis1=-2, axis2=-1) for p in powers[1:]]
        traces.append(jnp.sum(jnp.swapaxes(powers[-1], -1, -2) * a, axis=(-2, -1)))
        elementary = [jnp.ones(v.shape[:-2], v.dtype)]
        for k in range(1, self.n + 1):
            terms = [(-1) ** (i - 1) * elementary[k - i] * traces[i - 1] for i in range(1, k + 1)]
            elementary.append(sum(terms[1:], terms[0]) / k)
        reduction = [(-1) ** (self.n - k + 1) * elementary[self.n - k] for k in range(self.n)]
        zero = jnp.zeros(v.shape[:-2], v.dtype)
        term = [zero + 1] + [zero] * (self.n - 1)  # of a^k / k!, in the basis of powers
        total = list(term)
        for k in range(1, _TAYLOR_ORDER + 1):
            top = term[-1]
            term = [(below + top * c) / k for below, c in zip([zero, *term[:-1]], reduction)]
            total = [t + s for t, s in zip(total, term)]
        result = sum(
            (c[..., None, None] * p for c, p in zip(total[1:], powers[1:])),
            total[0][..., None, None] * powers[0],
        )
        for _ in range(_SQUARINGS):
            result = matmul(result, result)
        return result

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

    def kinetic_energy(self, v: Matrix) -> Float[Array, "..."]:
        return jnp.sum(jnp.abs(v) ** 2, axis=(-2, -1))
