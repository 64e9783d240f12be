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
from gaugemc.exact.u1 import exact_observables
from gaugemc.groups import SUN, U1
from gaugemc.groups.u1 import von_mises
from gaugemc.lattice import planes, plaquettes
from gaugemc.samplers import HMC
from gaugemc.samplers.heatbath import Heatbath, checkerboard, staples
from gaugemc.spaces import Links
from gaugemc.theories import Gaussian, Tempered, Wilson

REALS = pytest.mark.parametrize("real", [jnp.float32, jnp.float64], ids=["f32", "f64"])
LATTICES = [(4, 6), (2, 2), (2, 4, 2)]


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


@pytest.mark.parametrize("lattice", LATTICES, ids=str)
def test_active_links_share_no_plaquette(lattice: tuple[int, ...]):
    """Moving all links of a subset at once changes each plaquette by one link at most."""
    seen = np.zeros((len(lattice), int(np.prod(lattice))), int)
    for mu, sites in checkerboard(lattice):
        seen[mu, sites] += 1
        active = np.zeros((len(lattice), int(np.prod(lattice))), bool)
        active[mu, sites] = True
        active = active.reshape(len(lattice), *lattice)
        for a, b in planes(len(lattice)):
            touching = active[a].astype(int) + active[b] + np.roll(active[b], -1, a)
            touching += np.roll(active[a], -1, b)
            assert touching.max() <= 1
    assert (seen == 1).all()


@pytest.mark.parametrize("group", [U1(), SUN(2)], ids=lambda group: group.name)
@pytest.mark.parametrize("lattice", [(4, 2), (2, 4, 2)], ids=str)
def test_staples_give_the_change_of_the_action(group, lattice: tuple[int, ...], key: jax.Array):
    theory = Wilson(Links(group, lattice), 1.3)
    keys = jax.random.split(key)
    x, other = theory.space.random(keys[0]), theory.space.random(keys[1])
    action = eqx.filter_jit(theory.action)
    site = tuple(length - 1 for length in lattice)
    for mu in range(len(lattice)):
        moved = x.at[(mu, *site)].set(other[(mu, *site)])
        terms = jax.jit(lambda mu=mu: jnp.stack(staples(group, x, mu)))()

        def local(u, terms=terms):
            return -1.3 * group.trace(group.multiply(u, terms)).sum(0)[site]

        change = action(moved) - action(x)
        np.testing.assert_allclose(local(moved[mu]) - local(x[mu]), change, atol=1e-11)


@pytest.mark.parametrize("lattice", LATTICES, ids=str)
def test_overrelaxation_keeps_the_action_and_moves_the_links(
    lattice: tuple[int, ...], key: jax.Array
):
    theory = Wilson(Links(U1(), lattice), 2.0)
    x = theory.space.random(key)
    y = eqx.filter_jit(Heatbath(theory).overrelaxation_sweep)(x)
    np.testing.assert_allclose(theory.action(y), theory.action(x), atol=1e-11)
    assert jnp.mean(jnp.abs(jnp.exp(1j * y) - jnp.exp(1j * x))) > 0.5


def jackknife(per_chain: np.ndarray) -> tuple[float, float]:
    """Mean over chains and its jackknife error."""
    n = len(per_chain)
    without = (per_chain.sum() - per_chain) / (n - 1)
    return per_chain.mean(), float(np.sqrt((n - 1) * without.var()))


@pytest.mark.parametrize(
    ("beta", "overrelaxation", "real"),
    [
        (0.5, 0, jnp.float64),
        (2.0, 2, jnp.float32),
        (4.0, 2, jnp.float64),
    ],
)
def test_heatbath_agrees_with_exact_results(beta: float, overrelaxation: int, real, key: jax.Array):
    """64 independent chains: the jackknife over chains needs no autocorrelation time."""
    theory = Wilson(Links(U1(), (4, 4), real), beta)
    sampler = Heatbath(theory, overrelaxation)
    samples = sample(sampler, key, chains=64, draws=400, warmup=100, chunk=250)
    assert samples.states.x.dtype == real
    assert samples.draws.info.accepted.all()
    for name, exact in exact_observables(beta, 16).items():
        mean, error = jackknife(samples.draws.observables[name].mean(axis=1))
        assert abs(mean - exact) < 4.5 * error, name
    hot, cold = np.split(samples.draws.observables["plaquette"].mean(axis=1), 2)
    difference = np.hypot(jackknife(hot)[1], jackknife(cold)[1])
    assert abs(hot.mean() - cold.mean()) < 4.5 * difference


def test_heatbath_agrees_with_hmc_in_three_dimensions(key: jax.Array):
    """An independent algorithm, where no exact result is at hand."""
    theory = Wilson(Links(U1(), (4, 2, 2)), 1.0)
    results = []
    for sampler in (Heatbath(theory, 1), HMC(theory, 0.25, 5)):
        draws = sample(sampler, key, chains=64, draws=200, warmup=50, chunk=250).draws
        results.append(jackknife(draws.observables["plaquette"].mean(axis=1)))
    (heatbath, error), (hmc, hmc_error) = results
    assert abs(heatbath - hmc) < 4.5 * np.hypot(error, hmc_error)
    assert error < 3e-3


@pytest.mark.parametrize(
    ("theory", "message"),
    [
        (
            Wilson(Links(SUN(3), (4, 4)), 1.0),
            r"heatbath: not available for SU\(3\); choose sampler=hmc",
        ),
        (Wilson(Links(U1(), (4, 5)), 1.0), r"heatbath: lattice \[4, 5\] must have even extents"),
    ],
)
def test_what_cannot_be_sampled_is_refused(theory: Wilson, message: str):
    with pytest.raises(ValueError, match=message):
        Heatbath(theory)


def test_negative_overrelaxation_is_refused():
    with pytest.raises(ValueError, match="overrelaxation -1"):
        Heatbath(Wilson(Links(U1(), (4, 4)), 1.0), -1)


def test_reflecting_one_link_keeps_the_action_and_is_its_own_inverse(key: jax.Array):
    """Reflecting one link changes its plaquettes but not their sum of cosines."""
    group = U1()
    x = Links(group, (4, 4)).random(key)
    terms = jnp.stack(staples(group, x, 0))[:, 0, 0]
    reflected = x.at[0, 0, 0].set(group.reflect_link(x[0, 0, 0], terms))
    before, after = plaquettes(group, x), plaquettes(group, reflected)
    assert jnp.abs(jnp.cos(after) - jnp.cos(before)).max() > 1e-3
    np.testing.assert_allclose(jnp.cos(after).sum(), jnp.cos(before).sum(), atol=1e-12)
    again = group.reflect_link(reflected[0, 0, 0], terms)
    np.testing.assert_allclose(jnp.exp(1j * again), jnp.exp(1j * x[0, 0, 0]), atol=1e-12)


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
        with pytest.raises(ValueError, match="heatbath: needs Wilson's action"):
            Heatbath(theory)
    Heatbath(Measured(space, 1.0))
    assert Heatbath(Tempered(Wilson(space, 1.0), 0.5)).theory.wilson_beta == 0.5
