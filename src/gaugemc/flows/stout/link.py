"""The stout map of a link, u -> exp(A(u)) u, with A the sum of its plaquettes in the algebra.

A = -TA(u S), S = sum_k rho_k S_k over the staples of the link; TA is the traceless anti-Hermitian
part (hep-lat/0311018, where rho > 0 smooths). Leading axes are those of many links, each of which
moves for itself. Where q = sum_k |rho_k| < 1 the map is a bijection: |dA| <= q |du|, since TA does
not lengthen, and products with the unitary matrices u S_k keep lengths.
"""

import functools
import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from gaugemc.arrays import Field, Scalar
from gaugemc.groups import Group

Blocks = Float[Array, "... component component"]
LARGEST = 2.0
"""A bound of the eigenvalues of A and of ad(A) in size, for q < 1."""


def exponent(group: Group, u: Field, staples: Field) -> Field:
    """A: for a plaquette of weight rho, rho times minus its traceless anti-Hermitian part."""
    return -group.unit_beta * group.staple_gradient(u, staples)


def slope(group: Group, u: Field, staples: Field) -> Blocks:
    """N, the derivative of A: along X = X_b T_b the component a changes by N_ab X_b.

    The antisymmetric part of N is -ad(A) / 2.
    """
    return -group.unit_beta * group.staple_hessian(u, staples)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def stout(group: Group, u: Field, staples: Field) -> Field:
    """exp(A(u)) u."""
    return group.multiply(group.exp(exponent(group, u, staples), LARGEST), u)


@stout.defjvp
def _derivative_of_exp(
    group: Group, primals: tuple[Field, Field], tangents: tuple[Field, Field]
) -> tuple[Field, Field]:
    """d exp(A) = exp(A) J dA, J = (1 - e^-Z) / Z = sum_k (-Z)^k / (k + 1)!, with Z = ad(A)."""
    n = slope(group, *primals)
    z = jnp.swapaxes(n, -1, -2) - n
    a, da = jax.jvp(functools.partial(exponent, group), primals, tangents)
    da = group.components(da)

    def horner(turned: Array, over: Scalar) -> tuple[Array, None]:
        return da - over * jnp.sum(z * turned[..., None, :], axis=-1), None

    last = _last(lambda k: LARGEST**k / math.factorial(k + 1), n)
    turned = jax.lax.scan(horner, da, 1 / jnp.arange(last + 1.0, 1, -1, n.dtype))[0]
    along = group.tangent(primals[0], group.element(turned)) + tangents[0]
    return jax.jvp(functools.partial(group.multiply, group.exp(a, LARGEST)), primals[:1], (along,))


@jax.custom_jvp
def log_det(n: Blocks) -> Float[Array, "..."]:
    """log det of the derivative of the map with respect to the Haar measure, from N, for q < 1."""
    return jnp.linalg.slogdet(turned_jacobian(n)[0])[1]


def turned_jacobian(n: Blocks) -> tuple[Blocks, Blocks, Float[Array, "2 term"]]:
    """K, which has the determinant of the derivative: the one of exp(A) u, turned by a rotation.

    An element X moves exp(A) u by e^A (1 + J N) X e^-A. With Z = ad(A) and the symmetric part M of
    N, e^(Z / 2) (1 + J N) = cosh(Z / 2) + sinh(Z / 2) / (Z / 2) M = K. In powers of Y = Z^2 / 4
    K = sum_k Y^k (1 / (2 k)! + M / (2 k + 1)!).

    Returns:
        K, the sums behind each power of Y in Horner's scheme, and the coefficients, from the last
        power to the first.
    """
    last = _last(lambda k: 1 / math.factorial(2 * k), n)
    powers = range(last, -1, -1)
    coefficients = [[1 / math.factorial(2 * k + odd) for k in powers] for odd in (0, 1)]
    y, m = _square(n), (n + jnp.swapaxes(n, -1, -2)) / 2
    one = jnp.eye(n.shape[-1], dtype=n.dtype)

    def horner(behind: Blocks, c: Float[Array, "2"]) -> tuple[Blocks, Blocks]:
        return _product(y, behind) + c[0] * one + c[1] * m, behind

    c = jnp.asarray(coefficients, n.dtype)
    return *jax.lax.scan(horner, jnp.zeros_like(n), c.T), c


@log_det.defjvp
def _derivative_of_log_det(
    primals: tuple[Blocks], tangents: tuple[Blocks]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """tr(K^-1 dK), with the reverse pass of Horner's scheme by hand: Y is symmetric."""
    (n,), (dn,) = primals, tangents
    k, behind, c = turned_jacobian(n)
    z, y = jnp.swapaxes(n, -1, -2) - n, _square(n)

    def back(
        of: tuple[Blocks, Blocks, Blocks], term: tuple[Blocks, Scalar]
    ) -> tuple[tuple[Blocks, Blocks, Blocks], None]:
        of_sum, of_y, of_m = of
        of_y = of_y + _product(of_sum, jnp.swapaxes(term[0], -1, -2))
        return (_product(y, of_sum), of_y, of_m + term[1] * of_sum), None

    start = (jnp.swapaxes(jnp.linalg.inv(k), -1, -2), jnp.zeros_like(n), jnp.zeros_like(n))
    _, of_y, of_m = jax.lax.scan(back, start, (behind, c[1]), reverse=True)[0]
    of_z = -(_product(z, of_y) + _product(of_y, z)) / 4
    of_n = of_m / 2 - of_z + jnp.swapaxes(of_m / 2 + of_z, -1, -2)
    return jnp.linalg.slogdet(k)[1], jnp.sum(of_n * dn, axis=(-2, -1))


def _square(n: Blocks) -> Blocks:
    """Y = Z^2 / 4, symmetric."""
    z = jnp.swapaxes(n, -1, -2) - n
    return _product(z, z) / 4


def _product(a: Blocks, b: Blocks) -> Blocks:
    """A product of matrices: for 8 x 8 XLA's batched dot is faster than a fused sum."""
    return jnp.matmul(a, b, precision="highest")


def _last(size: Callable[[int], float], n: Blocks) -> int:
    """The last term of a series that is above half of a rounding, by the sizes of terms."""
    half = float(jnp.finfo(n.dtype).eps) / 2
    return max(k for k in range(40) if size(k) > half)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def unstout(group: Group, contraction: float, x: Field, staples: Field) -> Field:
    """The u of x = exp(A(u)) u, by `fixed_point` and then a step of Newton's method.

    Args:
        contraction: at least q, and below 1.

    Raises:
        RuntimeError: the iteration did not converge, as where a number is not finite.
    """
    u = fixed_point(group, x, lambda u: exponent(group, u, staples), contraction, "a stout layer")
    return _newton(group, u, staples)(x, staples)


def fixed_point(
    group: Group, x: Field, a: Callable[[Field], Field], contraction: float, name: str
) -> Field:
    """The u of x = exp(A(u)) u: the fixed point of u -> exp(-A(u)) x, a contraction for q < 1.

    An iteration makes the error q times as large, or smaller. The links iterate until none changes
    by more than eps^(3/4), eps the rounding. `newton_step` then squares the error.

    Args:
        a: the function A.
        contraction: at least q, and below 1.
        name: of the map, for the error.

    Raises:
        RuntimeError: the iteration did not converge, as where a number is not finite.
    """
    tolerance = float(jnp.finfo(x.dtype).eps) ** 0.75
    most = 10 + math.ceil(math.log(tolerance) / math.log(contraction))

    def iterate(state: tuple[Field, Scalar, Int[Array, ""]]) -> tuple[Field, Scalar, Array]:
        u, _, done = state
        new = group.multiply(group.exp(-a(u), LARGEST), x)
        return new, jnp.max(jnp.abs(new - u)), done + 1

    def moving(state: tuple[Field, Scalar, Int[Array, ""]]) -> Array:
        return (state[1] > tolerance) & (state[2] < most)

    start = (x, jnp.full((), jnp.inf, x.real.dtype), jnp.zeros((), int))
    u, change, _ = jax.lax.while_loop(moving, iterate, start)
    return eqx.error_if(
        u,
        ~(change <= tolerance),
        f"the inverse of {name} did not converge to {tolerance:.1g} in {most} iterations:"
        " are its parameters finite?",
    )


@unstout.defjvp
def _implicit(
    group: Group, contraction: float, primals: tuple[Field, Field], tangents: tuple[Field, Field]
) -> tuple[Field, Field]:
    """The implicit function rule: the derivative of a step of Newton's method at the solution."""
    u = unstout(group, contraction, *primals)
    return u, jax.jvp(_newton(group, u, primals[1]), primals, tangents)[1]


def _newton(group: Group, u: Field, staples: Field) -> Callable[[Field, Field], Field]:
    """A step of Newton's method from u, a function of x and of the staples."""
    half = group.exp(exponent(group, u, staples) / 2, LARGEST)
    k = turned_jacobian(slope(group, u, staples))[0]

    def step(x: Field, staples: Field) -> Field:
        return newton_step(group, u, half, k, stout(group, u, staples), x)

    return step


def newton_step(group: Group, u: Field, half: Field, k: Blocks, there: Field, x: Field) -> Field:
    """A step of Newton's method from u, whose image is `there`, to the u whose image is x.

    Args:
        half: exp(A(u) / 2).
        k: K at u, as `turned_jacobian` gives it.
    """
    missed = group.unit_beta * group.trace_gradient(group.multiply(there, group.adjoint(x)))
    turned = group.components(group.transport(half, missed))
    change = jnp.linalg.solve(k, turned[..., None])[..., 0]
    return group.multiply(group.exp(-group.element(change), LARGEST), u)
