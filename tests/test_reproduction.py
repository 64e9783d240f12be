"""What docs/reproduction.md says of the paper's equations and of published samplers.

The published formulas are written out here, and are nowhere else in the project.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float
from scipy.special import iv

from gaugemc.chains import sample
from gaugemc.groups import U1
from gaugemc.samplers import ExactU1
from gaugemc.spaces import Links
from gaugemc.theories import Wilson
from gaugemc.training.quality import effective_sample_size

Plane = Float[Array, "2"]


def flow(z: Plane) -> Plane:
    """An invertible map of the plane whose Jacobian matrix is not symmetric."""
    return jnp.array([z[0] + 0.5 * jnp.sin(z[0]) + 0.9 * jnp.sin(z[1]), 1.3 * z[1]])


def action(x: Plane) -> Float[Array, ""]:
    return jnp.sum(x**2) / 2 + jnp.sum(jnp.cos(x))


def log_det(z: Plane) -> Float[Array, ""]:
    return jnp.linalg.slogdet(jax.jacfwd(flow)(z))[1]


def energy(z: Plane, pi: Plane) -> Float[Array, ""]:
    """Equation 9, with J at z."""
    return jnp.sum(pi**2) / 2 + action(flow(z)) - log_det(z)


@pytest.fixture
def rng(key: jax.Array) -> np.random.Generator:
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


@pytest.fixture
def point(key: jax.Array) -> tuple[Plane, Plane]:
    z, momentum = jax.random.normal(key, (2, 2), jnp.float64)
    return z, momentum


def test_the_force_of_equation_11_has_the_transposed_jacobian(point: tuple[Plane, Plane]) -> None:
    z, pi = point
    jacobian, slope = jax.jacfwd(flow)(z), jax.grad(action)(flow(z))
    change = jax.jacfwd(jax.jacfwd(flow))(z)  # [i, j, k]: d J_ij / d z_k
    trace = jnp.einsum("ji,ijk->k", jnp.linalg.inv(jacobian), change)
    right = -jax.grad(energy)(z, pi)
    np.testing.assert_allclose(-jacobian.T @ slope + trace, right, rtol=1e-12)
    assert jnp.abs(-jacobian @ slope + trace - right).max() > 0.01


def in_x(z: Plane, pi: Plane, transposed: bool) -> Float[Array, "4"]:
    """(z, pi) in the variables x = f(z) and rho, with pi = J rho or pi = J^T rho."""
    jacobian = jax.jacfwd(flow)(z)
    return jnp.concatenate([flow(z), jnp.linalg.solve(jacobian.T if transposed else jacobian, pi)])


@pytest.mark.parametrize("transposed", [True, False])
def test_the_determinant_of_the_change_of_variables_is_one(
    point: tuple[Plane, Plane], transposed: bool
) -> None:
    """So it is for J as for its transpose; canonical is the transpose alone."""
    z, pi = point
    both = jax.jacfwd(lambda y: in_x(y[:2], y[2:], transposed))(jnp.concatenate([z, pi]))
    np.testing.assert_allclose(jnp.linalg.det(both), 1, rtol=1e-12)
    zero, one = jnp.zeros((2, 2)), jnp.eye(2)
    form = jnp.block([[zero, one], [-one, zero]])
    canonical = jnp.allclose(both @ form @ both.T, form, atol=1e-12)
    assert bool(canonical) == transposed


def test_the_kinetic_energy_of_equation_12_lacks_the_metric(point: tuple[Plane, Plane]) -> None:
    z, pi = point
    jacobian = jax.jacfwd(flow)(z)
    rho = in_x(z, pi, transposed=True)[2:]
    rest = action(flow(z)) - log_det(z)
    right = rho @ jacobian @ jacobian.T @ rho / 2 + rest
    np.testing.assert_allclose(right, energy(z, pi), rtol=1e-12)
    assert abs(rho @ rho / 2 + rest - right) > 0.01


def test_equation_12_samples_another_density() -> None:
    """On one angle, by quadrature: exp(-S) |det J| is its marginal, and <cos x> not that of S."""
    n, beta = 4096, 1.0
    z = 2 * np.pi * np.arange(n) / n
    x, slope = z + 0.5 * np.sin(z), 1 + 0.5 * np.cos(z)  # an angle's map, and J
    rho = np.linspace(-12, 12, 2001)
    measure = slope  # dx = J dz, on points that are even in z

    def mean_cosine(kinetic: np.ndarray) -> float:
        density = np.exp(-kinetic + beta * np.cos(x)[:, None] + np.log(slope)[:, None])
        marginal = density.sum(axis=1) * measure
        return float(np.sum(marginal * np.cos(x)) / np.sum(marginal))

    exact = iv(1, beta) / iv(0, beta)
    with_metric = mean_cosine(slope[:, None] ** 2 * rho**2 / 2)
    as_printed = mean_cosine(np.broadcast_to(rho**2 / 2, (n, len(rho))))
    np.testing.assert_allclose(with_metric, exact, rtol=1e-10)
    assert abs(as_printed - exact) > 0.1


def force(x: np.ndarray) -> np.ndarray:
    """S'(x) of one angle, S = -cos x."""
    return np.sin(x)


def forceless(x: np.ndarray, v: np.ndarray, dt: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The leapfrog of `FieldTransformation` in fthmc: forces are computed, and not returned."""
    position, momentum = x + dt / 2 * v, v
    for _ in range(steps):
        momentum = momentum - dt * force(position)
        position = position + dt * momentum
    return x + dt / 2 * v, v


def test_a_leapfrog_without_its_forces_does_not_follow_the_energy(
    rng: np.random.Generator,
) -> None:
    """Twice as many steps of half the size: no error falls by four, the trajectory is shorter."""
    x, v = rng.uniform(-np.pi, np.pi, 1000), rng.normal(size=1000)

    def moved(steps: int) -> tuple[np.ndarray, float]:
        y, w = forceless(x, v, 1.0 / steps, steps)
        return y - x, float(np.mean(np.abs((w**2 - v**2) / 2 - np.cos(y) + np.cos(x))))

    (far, error), (near, smaller) = moved(10), moved(20)
    np.testing.assert_allclose(near, far / 2)  # a random step of size dt / 2, whatever `steps` is
    assert smaller > 0.45 * error  # a leapfrog's falls to a quarter


E_, S_, Q_, T_ = 0.5, 1.0, 0.3, 0.5
"""Step size, and what the networks s, q and t return for the link."""

Half = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def scaled(x: np.ndarray, s: float) -> tuple[np.ndarray, np.ndarray]:
    """2 atan(e^s tan(x / 2)), and the log of its derivative."""
    slope = np.exp(s) / (np.cos(x / 2) ** 2 + (np.exp(s) * np.sin(x / 2)) ** 2)
    return 2 * np.arctan(np.exp(s) * np.tan(x / 2)), np.log(slope)


def forward(x: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y, log = scaled(x, E_ * S_)
    return y + E_ * (v * np.exp(E_ * Q_) + T_), log


def inverse(x: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return scaled(x - E_ * (v * np.exp(E_ * Q_) + T_), -E_ * S_)


def published(x: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`_update_x_bwd` of l2hmc-qcd with use_ncp: the shift is taken back after the arctangent."""
    y, log = scaled(x, -E_ * S_)
    return y - np.exp(-E_ * S_) * E_ * (v * np.exp(E_ * Q_) + T_), log


def distance(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.abs(np.exp(1j * x) - np.exp(1j * y)).max())


@pytest.mark.parametrize(("back", "exact"), [(inverse, True), (published, False)])
def test_a_backward_update_that_is_no_inverse_samples_another_density(
    back: Half, exact: bool, rng: np.random.Generator
) -> None:
    """One link, S = -cos x, 80000 chains of 60 draws. Five errors: a false alarm in 2e6."""
    x = rng.uniform(-np.pi, np.pi, 80000)
    v = rng.normal(size=len(x))
    assert (distance(back(forward(x, v)[0], v)[0], x) < 1e-10) == exact
    kept = []
    for draw in range(60):
        v = rng.normal(size=len(x))
        ahead = rng.random(len(x)) < 0.5
        sign = np.where(ahead, 1, -1)
        half = v - sign * E_ / 2 * force(x)
        (first, log_first), (second, log_second) = forward(x, half), back(x, half)
        y, log = np.where(ahead, first, second), np.where(ahead, log_first, log_second)
        w = half - sign * E_ / 2 * force(y)
        dh = (w**2 - v**2) / 2 - np.cos(y) + np.cos(x)
        x = np.where(rng.random(len(x)) < np.exp(np.minimum(0, log - dh)), y, x)
        if draw >= 30:
            kept.append(np.cos(x))
    means = np.mean(kept, axis=0)
    error = means.std() / np.sqrt(len(means))
    away = abs(means.mean() - iv(1, 1) / iv(0, 1)) / error
    assert away < 5 if exact else away > 10


def test_a_charge_that_truncates_loses_charged_configurations(key: jax.Array) -> None:
    """`int(q)` of fthmc, of charges in float32: what lies below 1 by rounding becomes 0."""
    theory = Wilson(Links(U1(), (8, 8), jnp.float32), 2.0)
    x = np.asarray(sample(ExactU1(theory), key, chains=1024, draws=1, warmup=0).states.x)
    corner = x[:, 0] - x[:, 1] - np.roll(x[:, 0], -1, 2) + np.roll(x[:, 1], -1, 1)
    flux = np.remainder(corner + np.float32(np.pi), np.float32(2 * np.pi)) - np.float32(np.pi)
    q = flux.sum(axis=(1, 2)) / np.float32(2 * np.pi)
    np.testing.assert_allclose(q, np.round(q), atol=1e-4)
    charged = np.abs(np.round(q)) == 1
    lost = np.mean(np.trunc(q[charged]) == 0)
    assert charged.sum() > 300
    assert lost > 0.2


def test_the_ess_of_a_training_batch_reads_too_high(rng: np.random.Generator) -> None:
    """Weights whose logarithm is normal: ESS = exp(-variance), here 0.0025."""
    exact = np.exp(-6.0)
    batches = rng.normal(0, np.sqrt(6), (2000, 64))
    of_batches = np.array([effective_sample_size(batch).fraction for batch in batches])
    assert of_batches.min() >= 1 / 64
    assert of_batches.mean() > 10 * exact
    assert effective_sample_size(batches.ravel()).fraction < 5 * exact
