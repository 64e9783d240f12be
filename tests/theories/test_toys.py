"""Toy densities: forces, and exact moments against quadrature and against samplers."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.chains import sample
from gaugemc.samplers import HMC
from gaugemc.theories import (
    Funnel,
    Gaussian,
    Ring,
    RoughWell,
    Tempered,
    Toy,
    TwoGaussians,
    ill_conditioned_gaussian,
    strongly_correlated_gaussian,
)

TOYS = [TwoGaussians(), RoughWell(2, 0.3), RoughWell(), Funnel(), Ring(), Ring(0.5, 1.0)]
GAUSSIANS = [strongly_correlated_gaussian(), ill_conditioned_gaussian(5)]


def name(theory: Toy | Gaussian) -> str:
    return theory.name


@pytest.mark.parametrize("theory", [*TOYS, *GAUSSIANS, TwoGaussians(3)], ids=name)
def test_force_is_the_derivative_of_the_action(theory: Toy | Gaussian, key: jax.Array) -> None:
    x = 1.5 * theory.space.random(key)
    force, derivative = jax.jit(lambda x: (theory.force(x), jax.grad(theory.action)(x)))(x)
    np.testing.assert_allclose(force, derivative, rtol=0, atol=1e-9)
    assert float(jnp.abs(force).max()) > 1e-3


@pytest.mark.parametrize("theory", [*TOYS, GAUSSIANS[0]], ids=name)
def test_exact_observables_agree_with_quadrature(theory: Toy | Gaussian) -> None:
    """A fine grid in the plane, or of the funnel its first axis times a scaled second one."""
    half = {"funnel": 30.0, GAUSSIANS[0].name: 80.0}.get(theory.name, 9.0)
    points = 401 if theory is not GAUSSIANS[0] else 1001
    if isinstance(theory, RoughWell) and theory.ripple < 0.1:
        points = 2401  # a period of the ripples has eight points
    u = np.linspace(-half, half, points)
    first, second = np.meshgrid(u, u, indexing="ij")
    log_measure = np.zeros_like(first)
    if isinstance(theory, Funnel):  # x_1 = exp(x_0 / 2) z
        log_measure = first / 2
        second = second * np.exp(log_measure)
    x = jnp.asarray(np.stack([first.ravel(), second.ravel()], 1))

    @jax.jit
    def weighted(x: jax.Array, log_measure: jax.Array) -> dict[str, jax.Array]:
        w = jax.nn.softmax(log_measure - jax.vmap(theory.action)(x))
        return {k: jnp.sum(w * o) for k, o in jax.vmap(theory.observables)(x).items()}

    measured = weighted(x, jnp.asarray(log_measure.ravel()))
    exact = theory.exact_observables()
    assert set(exact) == set(measured)
    for observable, value in exact.items():
        assert float(measured[observable]) == pytest.approx(value, rel=2e-4, abs=1e-9), observable


@pytest.mark.parametrize(
    ("theory", "step_size", "n_steps"),
    [
        pytest.param(RoughWell(2, 0.3), 0.3, 5, marks=pytest.mark.slow, id="rough well"),
        pytest.param(Ring(), 0.3, 8, id="ring"),
        pytest.param(ill_conditioned_gaussian(3), 0.15, 60, marks=pytest.mark.slow, id="Gaussian"),
    ],
)
def test_hmc_agrees_with_the_exact_observables(
    theory: Toy | Gaussian, step_size: float, n_steps: int, key: jax.Array
) -> None:
    """Means of 64 chains within 5 standard errors (t with 63 degrees): false alarm 2e-5 for 8."""
    samples = sample(HMC(theory, step_size, n_steps), key, chains=64, draws=150, warmup=100)
    for observable, exact in theory.exact_observables().items():
        chains = samples.draws.observables[observable].mean(axis=1)
        error = chains.std(ddof=1) / np.sqrt(len(chains))
        assert error > 0
        assert abs(chains.mean() - exact) < 5 * error, observable


def test_another_temperature_is_another_width() -> None:
    """Of a Gaussian: the covariance over beta, so the force too; exact values at beta 1 alone."""
    theory, x = GAUSSIANS[1], jnp.arange(1.0, 6.0)
    cold = Gaussian(theory.mean, theory.covariance / 3)
    tempered = Tempered(theory, 3.0)
    np.testing.assert_allclose(tempered.force(x), cold.force(x), rtol=1e-12)
    assert float(tempered.action(x)) == pytest.approx(float(cold.action(x)), rel=1e-12)
    assert tempered.exact_observables() == {}
    assert Tempered(theory).exact_observables() == theory.exact_observables()


def test_chains_of_the_mixture_start_in_both_modes(key: jax.Array) -> None:
    space = TwoGaussians().space
    x = np.asarray(jax.vmap(space.random)(jax.random.split(key, 200)))
    assert 60 < np.sum(x[:, 0] > 0) < 140  # 5.7 standard deviations: 1e-8
    np.testing.assert_allclose(np.abs(x[:, 0]).mean(), 2.0, atol=0.12)
    np.testing.assert_array_equal(space.origin(), [2.0, 0.0])
    scale = -TwoGaussians().action(jnp.asarray([1.8, 0.2])) + TwoGaussians().action(space.origin())
    reference = space.log_reference(jnp.asarray([1.8, 0.2])) - space.log_reference(space.origin())
    assert float(reference) == pytest.approx(float(scale))


def test_the_centre_of_the_ring_has_a_force() -> None:
    ring = Ring()
    np.testing.assert_array_equal(ring.force(jnp.zeros(2)), jnp.zeros(2))
    assert np.all(np.isfinite(jax.grad(ring.action)(jnp.zeros(2))))


def test_covariances_are_those_of_the_paper() -> None:
    correlated = np.linalg.eigvalsh(np.asarray(strongly_correlated_gaussian().covariance))
    np.testing.assert_allclose(correlated, [0.1, 100.0])
    assert strongly_correlated_gaussian().exact_observables()["widest_squared"] == pytest.approx(
        100.0
    )
    wide = np.diag(np.asarray(ill_conditioned_gaussian().covariance))
    assert (len(wide), wide.min(), wide.max()) == (50, pytest.approx(0.01), pytest.approx(100))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize(
    "make", [TwoGaussians, RoughWell, Funnel, Ring, strongly_correlated_gaussian]
)
def test_types_of_fields_and_energies(make: Callable, dtype: type, key: jax.Array) -> None:
    theory = make(dtype=dtype)
    x = eqx.filter_eval_shape(theory.space.random, key)
    assert eqx.filter_eval_shape(theory.force, x).dtype == x.dtype == dtype
    assert eqx.filter_eval_shape(theory.action, x).dtype == jnp.float64


@pytest.mark.parametrize(
    "make",
    [
        lambda: TwoGaussians(0),
        lambda: TwoGaussians(variance=0.0),
        lambda: RoughWell(ripple=0.0),
        lambda: Funnel(1),
        lambda: Ring(width=-1.0),
    ],
)
def test_impossible_parameters_are_refused(make: Callable) -> None:
    with pytest.raises(ValueError, match=r"must be|must not be"):
        make()
