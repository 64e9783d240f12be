"""Von Mises draws, the local heatbath and overrelaxation.

Statistical tests use fixed keys and |z| < 4.5, false-alarm rate 7e-6 each; about 2e-4 for the file.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ive
from scipy.stats import kstest, norm, vonmises

from gaugemc.chains import sample
from gaugemc.exact.solved import exact_observables
from gaugemc.groups import SUN, U1
from gaugemc.groups.u1 import von_mises
from gaugemc.lattice import plaquette_staples, plaquettes
from gaugemc.samplers import HMC
from gaugemc.samplers.heatbath import Heatbath
from gaugemc.spaces import Links
from gaugemc.theories import Gaussian, Improved, Tempered, Wilson

REALS = pytest.mark.parametrize("real", [jnp.float32, jnp.float64], ids=["f32", "f64"])


@REALS
@pytest.mark.parametrize("kappa", [0.0, 1e-6, 0.1, 1.0, 5.0, 100.0])
def test_von_mises_distribution(kappa: float, real, key: jax.Array):
    """Kolmogorov-Smirnov at 1e-6 and the first two moments, I_k / I_0."""
    x = np.asarray(von_mises(key, jnp.full(20_000, kappa, real)), np.float64)
    cdf = vonmises(kappa).cdf if kappa else lambda a: (a + np.pi) / (2 * np.pi)
    assert kstest(x, cdf).pvalue > 1e-6
    for k in (1, 2):
        wave = np.cos(k * x)
        z = (wave.mean() - ive(k, kappa) / ive(0, kappa)) / wave.std() * np.sqrt(len(x))
        assert abs(z) < 4.5


@REALS
@pytest.mark.parametrize("kappa", [1e4, 1e10, 1e30])
def test_von_mises_is_normal_at_high_concentration(kappa: float, real, key: jax.Array):
    x = np.asarray(von_mises(key, jnp.full(20_000, kappa, real)), np.float64)
    assert kstest(x * np.sqrt(kappa), norm.cdf).pvalue > 1e-6


def test_von_mises_draws_each_of_many_concentrations(key: jax.Array):
    kappa = jnp.asarray([0.0, 1e-30, 1e-8, 0.5, 40.0, 1e8, 1e30], jnp.float32)
    x = von_mises(key, jnp.tile(kappa, (1000, 1)))
    assert x.dtype == jnp.float32
    assert jnp.isfinite(x).all()
    spread = jnp.std(x, axis=0)
    np.testing.assert_allclose(spread[:3], np.pi / np.sqrt(3), rtol=0.1)
    np.testing.assert_allclose(spread[4:] * jnp.sqrt(kappa[4:]), 1, rtol=0.15)


THEORIES = [
    Wilson(Links(U1(), (2, 4, 2)), 2.0),
    Wilson(Links(U1(), (3, 4)), 2.0),
    Wilson(Links(SUN(3), (2, 4, 2)), 5.7),
    Improved(Links(U1(), (4, 4)), 2.0, c1=-0.331),
    Improved(Links(SUN(2), (4, 6)), 2.0, c1=-1 / 12),
    Improved(Links(SUN(4), (4, 4)), 6.0, c1=-1.4088),
]


@pytest.mark.parametrize("theory", THEORIES, ids=lambda theory: theory.space.name)
def test_overrelaxation_keeps_the_action_and_moves_the_links(theory: Wilson, key: jax.Array):
    x = theory.space.random(key)
    y = eqx.filter_jit(Heatbath(theory).overrelaxation_sweep)(x)
    np.testing.assert_allclose(theory.action(y), theory.action(x), atol=1e-11)
    group = theory.space.group
    assert jnp.mean(group.trace(group.multiply(y, group.adjoint(x)))) < 0.7


def jackknife(per_chain: np.ndarray) -> tuple[float, float]:
    """Mean over chains and its jackknife error."""
    n = len(per_chain)
    without = (per_chain.sum() - per_chain) / (n - 1)
    return per_chain.mean(), float(np.sqrt((n - 1) * without.var()))


@pytest.mark.parametrize(
    ("theory", "overrelaxation"),
    [
        (Wilson(Links(U1(), (4, 4)), 0.5), 0),
        (Wilson(Links(U1(), (4, 4), jnp.float32), 2.0), 2),
        (Wilson(Links(U1(), (4, 4)), 4.0), 2),
        (Wilson(Links(U1(), (3, 5)), 2.0), 2),
        (Wilson(Links(SUN(2), (4, 4)), 0.8), 0),
        (Wilson(Links(SUN(2), (4, 2), jnp.float32), 4.0), 1),
        (Wilson(Links(SUN(3), (4, 4)), 6.0), 1),
        (Wilson(Links(SUN(4), (2, 4)), 10.0), 1),
    ],
    ids=lambda value: value.space.name if isinstance(value, Wilson) else str(value),
)
def test_heatbath_agrees_with_exact_results(theory: Wilson, overrelaxation: int, key: jax.Array):
    """64 independent chains: the jackknife over chains needs no autocorrelation time."""
    sampler = Heatbath(theory, overrelaxation)
    samples = sample(sampler, key, chains=64, draws=400, warmup=100, chunk=250)
    assert samples.states.x.dtype == theory.space.dtype
    assert samples.draws.info.accepted.all()
    for name, exact in exact_observables(theory).items():
        mean, error = jackknife(samples.draws.observables[name].mean(axis=1))
        assert abs(mean - exact) < 4.5 * error, name
    hot, cold = np.split(samples.draws.observables["plaquette"].mean(axis=1), 2)
    difference = np.hypot(jackknife(hot)[1], jackknife(cold)[1])
    assert abs(hot.mean() - cold.mean()) < 4.5 * difference


@pytest.mark.parametrize(
    "theory",
    [
        Wilson(Links(U1(), (4, 2, 2)), 1.0),
        Improved(Links(U1(), (4, 4)), 1.5, c1=-0.331),
        Improved(Links(SUN(2), (4, 6)), 2.0, c1=-0.331),
        Improved(Links(SUN(3), (4, 4)), 3.0, c1=0.1),
    ],
    ids=lambda theory: theory.space.name,
)
def test_heatbath_agrees_with_hmc(theory: Wilson, key: jax.Array):
    """An independent algorithm, where no exact result is at hand."""
    results = []
    for sampler in (Heatbath(theory, 1), HMC(theory, 0.25, 5)):
        draws = sample(sampler, key, chains=64, draws=200, warmup=50, chunk=250).draws
        results.append(jackknife(draws.observables["plaquette"].mean(axis=1)))
    (heatbath, error), (hmc, hmc_error) = results
    assert abs(heatbath - hmc) < 4.5 * np.hypot(error, hmc_error)
    assert max(error, hmc_error) < 6e-3


@pytest.mark.slow
def test_links_stay_in_the_group(key: jax.Array):
    """10^4 updates of every link."""
    theory = Wilson(Links(SUN(3), (2, 2)), 6.0)
    x = sample(Heatbath(theory, 4), key, chains=2, draws=2000, chunk=500).states.x
    unit = jnp.swapaxes(x, -1, -2).conj() @ x
    np.testing.assert_allclose(unit, jnp.broadcast_to(jnp.eye(3), unit.shape), atol=1e-13)
    np.testing.assert_allclose(jnp.linalg.det(x), 1, atol=1e-13)


@pytest.mark.parametrize(
    ("theory", "message"),
    [
        (Wilson(Links(U1(), (4, 13)), 1.0), r"lattice \[4, 13\].* take extents that are even"),
        (
            Improved(Links(SUN(2), (4, 2)), 1.0, c1=-0.331),
            r"lattice \[4, 2\].* take extents that are multiples of 4",
        ),
    ],
)
def test_what_cannot_be_sampled_is_refused(theory: Wilson, message: str):
    with pytest.raises(ValueError, match=message):
        Heatbath(theory)


def test_negative_overrelaxation_is_refused():
    with pytest.raises(ValueError, match="overrelaxation -1"):
        Heatbath(Wilson(Links(U1(), (4, 4)), 1.0), -1)


@pytest.mark.parametrize("group", [U1(), SUN(2)], ids=lambda group: group.name)
def test_reflecting_one_link_keeps_the_action_and_is_its_own_inverse(group, key: jax.Array):
    """Reflecting one link changes its plaquettes but not the sum of their traces."""
    x = Links(group, (4, 4)).random(key)
    around = group.sum_staples(plaquette_staples(group, x, 0), jnp.ones(()))[0, 0]
    reflected = x.at[0, 0, 0].set(group.reflect_link(x[0, 0, 0], around))
    before, after = (group.trace(plaquettes(group, links)) for links in (x, reflected))
    assert jnp.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(after.sum(), before.sum(), atol=1e-12)
    again = group.reflect_link(reflected[0, 0, 0], around)
    np.testing.assert_allclose(group.trace(group.multiply(again, group.adjoint(x[0, 0, 0]))), 1)


class Doubled(Wilson):
    """Another action than Wilson's."""

    def action(self, x: jax.Array) -> jax.Array:
        return 2 * super().action(x)


class Measured(Wilson):
    """Wilson's action, with another observable."""

    def observables(self, x: jax.Array) -> dict[str, jax.Array]:
        return super().observables(x) | {"first": x[0, 0, 0]}


def test_other_actions_are_refused():
    space = Links(U1(), (4, 4))
    for theory in (Gaussian(jnp.zeros(2), jnp.eye(2)), Doubled(space, 1.0)):
        with pytest.raises(ValueError, match="heatbath: needs an action of plaquettes"):
            Heatbath(theory)
    Heatbath(Measured(space, 1.0))
    assert Heatbath(Tempered(Wilson(space, 1.0), 0.5)).theory.wilson_beta == 0.5
