"""The exact sampler of 2D U(1) against the character expansion.

Draws are independent, so errors are those of the mean. |z| < 4.5 has a false-alarm rate of 7e-6,
a chi-square test one of 1e-5: about 2e-4 for the whole file. Keys are fixed.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2, kstest

from gaugemc.chains import sample
from gaugemc.exact.u1 import (
    charge_distribution,
    exact_observables,
    plaquette_std,
    wilson_loop,
)
from gaugemc.groups import SUN, U1
from gaugemc.lattice import links_from_plaquettes, plaquettes, polyakov_loops
from gaugemc.observables.wilson_loop import WilsonLoop
from gaugemc.samplers.exact_u1 import ExactU1, closing_block
from gaugemc.spaces import Links
from gaugemc.theories import Wilson

# At beta 6 and 2 nearly all plaquettes close the torus; at 0.7 and 0 most are drawn freely.
CASES = [((8, 8), 6.0), ((8, 8), 0.7), ((5, 3), 2.0), ((5, 7), 0.0), ((2, 2), 1.0)]
SIZE = 2048


def theory_of(lattice: tuple[int, ...], beta: float, real=jnp.float64) -> Wilson:
    return Wilson(Links(U1(), lattice, real), beta)


@pytest.fixture(scope="module")
def ensembles() -> dict:
    return {}


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0][0]}x{case[0][1]}-{case[1]}")
def ensemble(request: pytest.FixtureRequest, ensembles: dict) -> tuple[Wilson, jax.Array]:
    """A theory and SIZE independent configurations, drawn once for all tests."""
    lattice, beta = request.param
    theory = theory_of(lattice, beta)
    if request.param not in ensembles:
        sampler = ExactU1(theory)
        keys = jax.random.split(jax.random.key(1), SIZE)
        draw = jax.jit(jax.vmap(lambda key: sampler.step(key, sampler.init(key))[0].x))
        ensembles[request.param] = draw(keys)
    return theory, ensembles[request.param]


def z_score(values: np.ndarray, exact: float) -> float:
    return float((values.mean() - exact) / (values.std(ddof=1) / np.sqrt(len(values))))


def test_observables(ensemble: tuple[Wilson, jax.Array]):
    theory, x = ensemble
    measured = jax.device_get(jax.vmap(theory.observables)(x))
    volume = int(np.prod(theory.space.lattice))
    for name, exact in exact_observables(theory.own_beta, volume).items():
        assert abs(z_score(measured[name], exact)) < 4.5, name
    # The variance's relative error is near sqrt(1 / (2 SIZE)) = 0.016 for a nearly normal mean.
    std = plaquette_std(theory.own_beta, volume)
    assert measured["plaquette"].std() / std == pytest.approx(1, abs=0.08)


def test_charge_distribution(ensemble: tuple[Wilson, jax.Array]):
    theory, x = ensemble
    charge = np.asarray(jax.vmap(theory.observables)(x)["charge"])
    p = charge_distribution(theory.own_beta, int(np.prod(theory.space.lattice)))
    common = [q for q in p if SIZE * p[q] > 10]
    counts = np.array([*(np.sum(charge == q) for q in common), 0])
    expected = np.array([*(SIZE * p[q] for q in common), 0.0])
    counts[-1], expected[-1] = SIZE - counts.sum(), SIZE - expected.sum()
    if expected[-1] < 5:  # too rare to be a class of its own
        counts[0], expected[0] = counts[0] + counts[-1], expected[0] + expected[-1]
        counts, expected = counts[:-1], expected[:-1]
    statistic = np.sum((counts - expected) ** 2 / expected)
    assert chi2.sf(statistic, len(counts) - 1) > 1e-5


def test_wilson_loops(ensemble: tuple[Wilson, jax.Array]):
    theory, x = ensemble
    loops = np.asarray(jax.vmap(lambda x: WilsonLoop(2, 2)(theory.space, x))(x))
    volume = int(np.prod(theory.space.lattice))
    for r, t in ((1, 2), (2, 1), (2, 2)):
        values, exact = loops[:, r - 1, t - 1], wilson_loop(theory.own_beta, volume, r * t)
        if r * t == volume:
            np.testing.assert_allclose(values, 1, atol=1e-12)
        else:
            assert abs(z_score(values, exact)) < 4.5, (r, t)


def test_all_places_are_alike(ensemble: tuple[Wilson, jax.Array]):
    """Every plaquette, and so the one that closes the torus, has the same mean."""
    theory, x = ensemble
    volume = int(np.prod(theory.space.lattice))
    cosines = np.asarray(jnp.cos(jax.vmap(lambda x: plaquettes(U1(), x)[0])(x)))
    z = [z_score(c, wilson_loop(theory.own_beta, volume, 1)) for c in cosines.reshape(SIZE, -1).T]
    assert np.abs(z).max() < 5.5  # at most 64 places: 2e-6


def test_links_and_polyakov_loops_are_uniform(ensemble: tuple[Wilson, jax.Array]):
    """A random gauge and random phases make every link and every Polyakov loop uniform."""
    _, x = ensemble
    assert jnp.all((x >= -np.pi) & (x < np.pi))
    for mu in range(2):
        loops = jax.vmap(lambda x, mu=mu: polyakov_loops(U1(), x, mu))(x)
        for angle in (x[:, mu, 0, 1], x[:, mu, 1, 0], loops[:, 0]):
            turns = np.asarray(angle) / (2 * np.pi) % 1
            assert kstest(turns, "uniform").pvalue > 1e-6


@pytest.mark.parametrize("lattice", [(4, 6), (5, 3), (2, 2)])
def test_links_have_the_plaquettes_they_are_made_from(lattice: tuple[int, int], key: jax.Array):
    angles = jax.random.uniform(key, lattice, jnp.float64, -np.pi, np.pi)
    angles = angles.at[0, 0].add(-angles.sum())
    made = plaquettes(U1(), links_from_plaquettes(angles))[0]
    np.testing.assert_allclose(jnp.exp(1j * made), jnp.exp(1j * angles), atol=1e-12)


def test_a_large_torus_is_closed_by_a_small_block():
    assert closing_block(6.0, 16) == 16
    assert closing_block(6.0, 128 * 128) < 60
    assert closing_block(0.0, 64) == 1


def test_driver_and_single_precision(key: jax.Array):
    """Through `sample`: every draw is independent of the one before, in the theory's type."""
    theory = theory_of((4, 4), 1.0, jnp.float32)
    samples = sample(ExactU1(theory), key, chains=8, draws=200, warmup=0)
    assert samples.states.x.dtype == jnp.float32
    info = samples.draws.info
    assert info.accepted.all()
    assert not info.delta_h.any()
    assert not info.force_evaluations.any()
    values = samples.draws.observables["plaquette"]
    assert abs(z_score(values.ravel(), exact_observables(1.0, 16)["plaquette"])) < 4.5
    assert abs(z_score((values[:, 1:] * values[:, :-1]).ravel(), values.mean() ** 2)) < 4.5


@pytest.mark.parametrize(
    "space", [Links(SUN(3), (4, 4)), Links(U1(), (2, 2, 2))], ids=["SU(3)", "3D"]
)
def test_other_theories_are_refused(space: Links):
    with pytest.raises(ValueError, match="exact sampler: needs 2D U"):
        ExactU1(Wilson(space, 1.0))


def test_other_actions_are_refused():
    class Doubled(Wilson):
        def action(self, x: jax.Array) -> jax.Array:
            return 2 * super().action(x)

    with pytest.raises(ValueError, match="exact sampler: needs Wilson's action, not that of 2D"):
        ExactU1(Doubled(Links(U1(), (4, 4)), 1.0))
