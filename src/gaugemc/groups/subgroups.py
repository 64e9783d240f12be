"""Local updates of SU(N) links by their SU(2) subgroups (Cabibbo and Marinari 1982).

An update multiplies a link u from the left by elements g of the subgroup of two rows. The density
exp(Re tr(g w) / N), w = u A, depends on g by the quaternion part of a block of w alone. SU(2) is
the case of one subgroup. Quaternions q stand for q_0 + i (q_1 sigma_1 + q_2 sigma_2 + q_3 sigma_3),
and are real arrays of shape (4, ...).
"""

import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Key

Matrix = Complex[Array, "... N N"]
Quaternion = Float[Array, "4 ..."]

TRIES = 2
"""Proposals of a heatbath; where all of them are rejected the link stays."""
WEAK = 1.7
"""The concentration below which Creutz's proposals are accepted more often: 0.70 and more."""


def draw_subgroups(key: Key[Array, ""], u: Matrix, w: Matrix) -> Matrix:
    """A heatbath of u in each subgroup, w = u A."""
    n, places = u.shape[-1], u.shape[:-2]
    normal_key, uniform_key = jax.random.split(key)
    shape = n * (n - 1) // 2, TRIES
    # All at once: XLA compiles the generator anew wherever it is called.
    normals = jax.random.normal(normal_key, (*shape, 3, *places), u.real.dtype)
    uniforms = jax.random.uniform(uniform_key, (*shape, 2, *places), u.real.dtype)

    def draw(subgroup: int, unit: Quaternion, norm: Float[Array, "..."]) -> Quaternion:
        drawn = draw_quaternion(normals[subgroup], uniforms[subgroup], 2 / n * norm, unit)
        return times(drawn, conjugate(unit))

    return update_subgroups(u, w, draw)


def reflect_subgroups(u: Matrix, w: Matrix) -> Matrix:
    """A reflection of u in each subgroup at constant Re tr w, w = u A (Creutz 1987)."""

    def reflect(subgroup: int, unit: Quaternion, norm: Float[Array, "..."]) -> Quaternion:
        return times(conjugate(unit), conjugate(unit))

    return update_subgroups(u, w, reflect)


def update_subgroups(
    u: Matrix, w: Matrix, choose: Callable[[int, Quaternion, Float[Array, "..."]], Quaternion]
) -> Matrix:
    """u, multiplied in each subgroup by what `choose` makes of the part of w there.

    That part is norm * unit, a real number and a quaternion of norm 1.
    """
    n = u.shape[-1]
    rows = [jnp.concatenate([u[..., i, :], w[..., i, :]], axis=-1) for i in range(n)]
    for subgroup, (i, j) in enumerate(itertools.combinations(range(n), 2)):
        (a, b), (c, d) = ((row[..., n + i], row[..., n + j]) for row in (rows[i], rows[j]))
        part = jnp.stack([(a + d).real, (b + c).imag, (b - c).real, (a - d).imag]) / 2
        norm = jnp.sqrt(jnp.sum(part**2, axis=0))
        identity = jnp.zeros_like(part).at[0].set(1)
        unit = jnp.where(norm > 0, part / jnp.where(norm > 0, norm, 1), identity)
        g = choose(subgroup, unit, norm)[..., None]
        diagonal, off = jax.lax.complex(g[0], g[3]), jax.lax.complex(g[2], g[1])
        rows[i], rows[j] = (
            diagonal * rows[i] + off * rows[j],
            jnp.conj(diagonal) * rows[j] - jnp.conj(off) * rows[i],
        )
    return jnp.stack([row[..., :n] for row in rows], axis=-2)


def draw_quaternion(
    normals: Float[Array, "tries 3 ..."],
    uniforms: Float[Array, "tries 2 ..."],
    concentration: Float[Array, "..."],
    old: Quaternion,
) -> Quaternion:
    """A unit quaternion q from the density exp(concentration q_0), or `old`.

    With a normal vector v of three components, x = v^2 / (2 concentration) and the direction of v
    are the proposal of Kennedy and Pendleton (1985) for 1 - q_0 and for the direction of q: one
    draw serves both. Below `WEAK` the proposal for q_0 is Creutz's (1980). Where all proposals
    are rejected, `old` is returned. The probability of that depends on the concentration and not on
    `old`: so the update is a mixture of the exact heatbath and of no move, and leaves the density
    invariant exactly.
    """
    tiny = jnp.finfo(concentration.dtype).tiny ** 0.5
    weak = concentration < WEAK
    low = jnp.clip(concentration, tiny, WEAK)
    # 1 - q_0 from the density exp(-low x) on [0, 2]; to rounding 2 y where low is tiny
    exponential = -jnp.log1p(uniforms[:, 0] * jnp.expm1(-2 * low)) / low
    square = jnp.sum(normals**2, axis=1)
    x = jnp.where(weak, exponential, square / (2 * jnp.maximum(concentration, WEAK)))
    sine_squared = jnp.maximum(x * (2 - x), 0)
    accepted = uniforms[:, 1] ** 2 < jnp.where(weak, sine_squared, 1 - x / 2)
    sines = jnp.sqrt(sine_squared / jnp.maximum(square, tiny))
    proposals = jnp.concatenate([1 - x[:, None], sines[:, None] * normals], axis=1)
    for proposal, good in zip(proposals, accepted):
        old = jnp.where(good, proposal, old)
    return old


def times(p: Quaternion, q: Quaternion) -> Quaternion:
    """The product p q."""
    a, b = p[1:], q[1:]
    scalar = p[0] * q[0] - jnp.sum(a * b, axis=0)
    return jnp.concatenate([scalar[None], p[0] * b + q[0] * a - jnp.cross(a, b, axis=0)])


def conjugate(q: Quaternion) -> Quaternion:
    """The inverse of a unit quaternion."""
    return jnp.concatenate([q[:1], -q[1:]])
