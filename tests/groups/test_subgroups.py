"""Draws of SU(2) quaternions, and local updates of SU(N) links by SU(2) subgroups.

Statistical tests use fixed keys and |z| < 4.5, false-alarm rate 7e-6 each; about 2e-4 for the file.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ive
from scipy.stats import kstest

from gaugemc.groups import SUN
from gaugemc.groups.subgroups import NUMBERS, TRIES, conjugate, draw_quaternion, times

REALS = pytest.mark.parametrize("real", [jnp.float32, jnp.float64], ids=["f32", "f64"])


def drawn(key: jax.Array, concentration: float, count: int, real) -> tuple[np.ndarray, float]:
    """Accepted draws, and the fraction of links that stayed."""
    uniforms = jax.random.uniform(key, (NUMBERS, count), real)
    old = jnp.full((4, count), 7, real)
    q = draw_quaternion(uniforms, jnp.full(count, concentration, real), old)
    stayed = np.asarray(q[0] == 7)
    return np.asarray(q, np.float64)[:, ~stayed], float(stayed.mean())


@REALS
@pytest.mark.parametrize("concentration", [0.0, 1e-3, 0.5, 1.6, 1.8, 4.0, 60.0, 1e5])
def test_distribution_of_quaternions(concentration: float, real, key: jax.Array):
    """Moments of q_0 from sqrt(1 - q_0^2) exp(concentration q_0), a uniform direction, norm 1.

    <1 - q_0> and its square follow from the Bessel functions I_1, I_2 and I_3.
    """
    q, stayed = drawn(key, concentration, 40_000, real)
    assert stayed < 0.3**TRIES * 1.15
    np.testing.assert_allclose((q**2).sum(axis=0), 1, atol=8 * np.finfo(real).eps)
    grid = np.linspace(0, np.pi, 20_001)[1:-1]
    weight = np.sin(grid) ** 2 * np.exp(concentration * (np.cos(grid) - 1))
    if concentration > 1000:  # narrower than the grid
        grid = np.linspace(0, 12 / np.sqrt(concentration), 20_001)[1:-1]
        weight = np.sin(grid) ** 2 * np.exp(-2 * concentration * np.sin(grid / 2) ** 2)
    cdf = np.cumsum(weight) / weight.sum()
    angle = 2 * np.arcsin(np.sqrt(np.clip((1 - q[0]) / 2, 0, 1)))
    if real == jnp.float64 or concentration < 1000:
        assert kstest(angle, lambda a: np.interp(a, grid, cdf)).pvalue > 1e-6
    if 0 < concentration < 1000:
        exact = ive(2, concentration) / ive(1, concentration)
        z = (q[0].mean() - exact) / q[0].std() * np.sqrt(q.shape[1])
        assert abs(z) < 4.5
    for component in q[1:]:
        direction = component / np.sqrt(1 - q[0] ** 2 + 1e-300)
        if real == jnp.float64:
            assert kstest(direction, lambda c: (np.clip(c, -1, 1) + 1) / 2).pvalue > 1e-6


def test_products_of_quaternions_are_products_of_matrices(key: jax.Array):
    p, q = jax.random.normal(key, (2, 4))
    sigma = np.array([[[1, 0], [0, 1]], [[0, 1j], [1j, 0]], [[0, 1], [-1, 0]], [[1j, 0], [0, -1j]]])

    def matrix(q: jax.Array) -> np.ndarray:
        return np.tensordot(np.asarray(q), sigma, 1)

    np.testing.assert_allclose(matrix(times(p, q)), matrix(p) @ matrix(q), atol=1e-14)
    np.testing.assert_allclose(matrix(conjugate(q)), matrix(q).conj().T, atol=1e-14)


@eqx.filter_jit
def updated(group: SUN, u: jax.Array, field: jax.Array, key: jax.Array) -> jax.Array:
    """Links after 30 updates."""

    def update(u: jax.Array, key: jax.Array) -> tuple[jax.Array, None]:
        return group.reflect_link(group.draw_link(key, u, field), field), None

    return jax.lax.scan(update, u, jax.random.split(key, 30))[0]


@pytest.mark.parametrize(
    ("n", "scale"), [(2, 1.0), (2, 20.0), (3, 1.0), (3, 5.0), (3, 30.0), (4, 1.0)]
)
def test_density_of_one_link(n: int, scale: float, key: jax.Array):
    """f = Re tr(U A) / N under the density exp(f), for a random matrix A.

    The Schwinger-Dyson equation of f is exact at every A: <sum_a (T_a f)^2> = -<sum_a T_a T_a f>,
    which is (N^2 - 1) / (2 N) <f>. Where A is small, <f> is also compared with the mean over Haar's
    measure with weights exp(f).
    """
    group, count = SUN(n), 4000
    keys = jax.random.split(key, 4)
    a = scale * group.random(keys[0], (), complex) @ jnp.diag(jnp.arange(1, n + 1) + 0j) / n
    field = jnp.broadcast_to(a, (count, n, n))
    u = updated(group, group.random(keys[1], (count,), complex), field, keys[2])
    unit = u @ jnp.swapaxes(u.conj(), -1, -2)
    np.testing.assert_allclose(unit, np.broadcast_to(np.eye(n), u.shape), atol=1e-14)
    f = np.asarray(group.trace(u @ field))
    square = 2 * np.asarray(group.kinetic_energy(group.staple_gradient(u, field)))
    balance = square - (n**2 - 1) / (2 * n) * f
    assert abs(balance.mean()) < 4.5 * balance.std() / np.sqrt(count)
    if scale < 2:
        free = np.asarray(group.trace(group.random(keys[3], (20_000,), complex) @ a))
        weight = np.exp(free) / np.exp(free).mean()
        mean = (weight * free).mean()
        error = np.hypot((weight * (free - mean)).std() / np.sqrt(2e4), f.std() / np.sqrt(count))
        assert abs(f.mean() - mean) < 4.5 * error
