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
import numpy as np
from jaxtyping import Array, Complex, Float, Key

from gaugemc.kernels import cosine, sine

Matrix = Complex[Array, "... N N"]
Quaternion = Float[Array, "4 ..."]

TRIES = 2
"""Proposals of a heatbath; where all of them are rejected the link stays."""
NUMBERS = 2 + 4 * TRIES
"""Uniform numbers that a heatbath of one subgroup takes: two for a direction, four a proposal."""
WEAK = 1.7
"""The concentration below which Creutz's proposals are accepted more often: 0.70 and more."""


def draw_subgroups(key: Key[Array, ""], u: Matrix, w: Matrix) -> Matrix:
    """A heatbath of u in each subgroup, w = u A."""
    n = u.shape[-1]
    shape = n * (n - 1) // 2, NUMBERS, *u.shape[:-2]
    # All at once: XLA compiles the generator anew wherever it is called.
    uniforms = jax.random.uniform(key, shape, u.real.dtype)

    def draw(subgroup: int, unit: Quaternion, norm: Float[Array, "..."]) -> Quaternion:
        drawn = draw_quaternion(uniforms[subgroup], 2 / n * norm, unit)
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

    That part is norm * unit, a real number and a quaternion of norm 1. Where the part is too small
    to have a direction to rounding, norm is 0 and unit is 1.
    """
    n = u.shape[-1]
    rows = [jnp.concatenate([u[..., i, :], w[..., i, :]], axis=-1) for i in range(n)]
    for subgroup, (i, j) in enumerate(itertools.combinations(range(n), 2)):
        (a, b), (c, d) = ((row[..., n + i], row[..., n + j]) for row in (rows[i], rows[j]))
        part = jnp.stack([(a + d).real, (b + c).imag, (b - c).real, (a - d).imag]) / 2
        square = jnp.sum(part**2, axis=0)
        tiny = square <= jnp.finfo(square.dtype).tiny / jnp.finfo(square.dtype).eps
        norm = jnp.sqrt(jnp.where(tiny, 0, square))
        identity = jnp.zeros_like(part).at[0].set(1)
        unit = jnp.where(tiny, identity, part / jnp.where(tiny, 1, norm))
        g = choose(subgroup, unit, norm)[..., None]
        diagonal, off = jax.lax.complex(g[0], g[3]), jax.lax.complex(g[2], g[1])
        rows[i], rows[j] = (
            diagonal * rows[i] + off * rows[j],
            jnp.conj(diagonal) * rows[j] - jnp.conj(off) * rows[i],
        )
    return jnp.stack([row[..., :n] for row in rows], axis=-2)


def draw_quaternion(
    uniforms: Float[Array, "numbers ..."], concentration: Float[Array, "..."], old: Quaternion
) -> Quaternion:
    """A unit quaternion q from the density exp(concentration q_0), or `old`.

    x = 1 - q_0 is proposed by Kennedy and Pendleton (1985), and below `WEAK` by Creutz (1980). The
    other components have a uniform direction. Where all proposals are rejected, `old` is returned.
    The probability of that depends on the concentration and not on `old`: so the update is a
    mixture of the exact heatbath and of no move, and leaves the density invariant exactly.
    """
    # The compiled twin is in kernels/native/subgroups.h.
    weak = concentration < WEAK
    low = jnp.clip(concentration, jnp.finfo(concentration.dtype).eps, WEAK)
    first, angle, second, accept = jnp.moveaxis(uniforms[2:].reshape(TRIES, 4, *low.shape), 1, 0)
    # from the density exp(-low x) on [0, 2]; to rounding 2 first where low is tiny
    exponential = -jnp.log1p(first * jnp.expm1(-2 * low)) / low
    # from the density sqrt(x) exp(-concentration x)
    logs = jnp.log(1 - first) + cosine(2 * np.pi * angle) ** 2 * jnp.log(1 - second)
    x = jnp.where(weak, exponential, -logs / jnp.maximum(concentration, WEAK))
    accepted = accept**2 < jnp.where(weak, x * (2 - x), 1 - x / 2)
    chosen = x[-1]
    for proposal, good in reversed(list(zip(x[:-1], accepted[:-1]))):
        chosen = jnp.where(good, proposal, chosen)
    sines = jnp.sqrt(jnp.maximum(chosen * (2 - chosen), 0))
    height, longitude = 2 * uniforms[0] - 1, 2 * np.pi * uniforms[1]
    across = 2 * sines * jnp.sqrt(uniforms[0] * (1 - uniforms[0]))
    drawn = 1 - chosen, across * cosine(longitude), across * sine(longitude), sines * height
    return jnp.where(jnp.any(accepted, axis=0), jnp.stack(drawn), old)


def times(p: Quaternion, q: Quaternion) -> Quaternion:
    """The product p q."""
    a, b = p[1:], q[1:]
    scalar = p[0] * q[0] - jnp.sum(a * b, axis=0)
    return jnp.concatenate([scalar[None], p[0] * b + q[0] * a - jnp.cross(a, b, axis=0)])


def conjugate(q: Quaternion) -> Quaternion:
    """The inverse of a unit quaternion."""
    return jnp.concatenate([q[:1], -q[1:]])
