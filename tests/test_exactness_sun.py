"""The long proof for SU(N): against exact plaquettes in 2D, and HMC against heatbath in 4D.

In two dimensions each seed is a run of its own, as in test_exactness.py. For correct samplers and
errors the mean of 60 z-scores has a standard error of 0.13 and their width one of 0.09: the limits
of 0.5 and 0.35 are passed by chance with probability 1e-4 each, and 4e-3 in all 20 cases.
In four dimensions HMC and heatbath share no code but the action's loops. A difference of more than
3 errors must be found twice, in independent draws: by chance in one of 12 cases with probability
9e-5, while a true difference of 6 errors is missed with probability 3e-3.
"""

import math
from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from disturbed import disturbed
from jaxtyping import Array, PyTree
from test_exactness import tuned

from gaugemc.chains import sample
from gaugemc.chains.driver import start_chains
from gaugemc.exact.solved import exact_observables, log_partition_function
from gaugemc.flows import matrix_multiscale, stout_flow
from gaugemc.groups import SUN
from gaugemc.samplers import (
    HMC,
    L2HMC,
    OMELYAN,
    Heatbath,
    Independence,
    Sampler,
    trainable_leapfrog,
)
from gaugemc.spaces import Links
from gaugemc.statistics.autocorrelation import Estimate, estimate, z_score
from gaugemc.theories import Improved, Theory, Wilson
from gaugemc.training import MatrixLevelKL, optimiser, quality, start_training, train

SEEDS = 60
CHAINS = 32
PILOT, MOST = 200, 12_000
"""Draws of each chain that say how many more are wanted, and the most that are."""
ERROR = 1.2e-4
"""Of each of two plaquettes that are compared: 1.7e-4 of their difference."""
SOLVED = [
    *((2, beta) for beta in (0.5, 1.0, 2.0, 4.0, 8.0)),
    *((3, beta) for beta in (1.0, 2.0, 4.0, 6.0, 9.0)),
]
UNSOLVED = [
    *((2, 0.0, beta) for beta in (0.5, 2.3, 2.5)),
    *((2, -0.331, beta) for beta in (0.5, 1.0, 1.3)),
    *((3, 0.0, beta) for beta in (0.5, 5.7, 6.0)),
    *((3, -0.331, beta) for beta in (0.5, 2.2, 2.6)),
]


def hmc(theory: Theory, key: Array) -> HMC:
    return tuned(HMC(theory, 0.2, 5, OMELYAN), 1.0, key)


def plaquette(
    sampler: Sampler, seed: int, chains: int, draws: int, states: PyTree = None
) -> Estimate:
    key, warmup = jax.random.key(1000 + seed), min(draws // 3, 200)
    drawn = sample(sampler, key, chains=chains, draws=draws, warmup=warmup, states=states).draws
    return estimate(drawn.observables["plaquette"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["heatbath", "hmc"])
@pytest.mark.parametrize(("n", "beta"), SOLVED)
def test_two_dimensions(n: int, beta: float, kind: str, key: Array):
    theory = Wilson(Links(SUN(n), (4, 4), jnp.float32), beta)
    sampler = Heatbath(theory, overrelaxation=1) if kind == "heatbath" else hmc(theory, key)
    exact = exact_observables(theory)["plaquette"]
    z = np.array(
        [z_score(plaquette(sampler, seed, 32, 200), exact) for seed in range(SEEDS)], float
    )
    print(f"SU({n}), beta {beta}, {kind}: mean z {z.mean():+.2f}, width {z.std(ddof=1):.2f}")
    assert abs(z.mean()) < 0.5
    assert abs(z.std(ddof=1) - 1) < 0.35


def l2hmc(theory: Wilson, key: Array, network: str) -> Sampler:
    """With parameters far from those of HMC."""
    leapfrog = trainable_leapfrog(
        key, theory.space, n_layers=3, step_size=0.12, network=network, rectangles=True
    )
    return L2HMC(theory, disturbed(leapfrog, key, 0.03))


def stout_hmc(theory: Wilson, key: Array) -> Sampler:
    """FT-HMC in the variables of a stout flow with large coefficients."""
    flow = disturbed(stout_flow(theory.space, sweeps=2, rho=0.1), key, 0.3)
    return hmc(theory.pullback(flow), key)


def independence(theory: Wilson, key: Array) -> Sampler:
    """Proposals of a multiscale flow that was trained and then disturbed: all of it is in use."""
    objective = MatrixLevelKL(theory, 64, log_partition_function(theory))
    adam = optimiser(1e-2, 200)
    state = start_training(matrix_multiscale(key, theory, stages=3), adam)
    ((state, _),) = train(objective, adam, state, key, 200, 200)
    flow = disturbed(state.model, key, 0.01)
    assert 0.3 < quality(flow, theory, key).ess < 0.99
    return Independence(theory, flow)


TRAINED: dict[str, Callable[[Wilson, Array], Sampler]] = {
    "L2HMC force": partial(l2hmc, network="force"),
    "L2HMC gauge": partial(l2hmc, network="gauge"),
    "FT-HMC stout": stout_hmc,
    "independence multiscale": independence,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TRAINED)
@pytest.mark.parametrize(("n", "beta"), [(2, 2.0), (3, 4.0)])
def test_trained_samplers_in_two_dimensions(n: int, beta: float, kind: str, key: Array):
    """20 seeds: limits of 4 standard errors each."""
    theory = Wilson(Links(SUN(n), (4, 4), jnp.float32), beta)
    sampler = TRAINED[kind](theory, key)
    exact = exact_observables(theory)["plaquette"]
    estimates = [plaquette(sampler, seed, 32, 200) for seed in range(20)]
    assert not any(e.lower_bound for e in estimates)
    z = np.array([z_score(e, exact) for e in estimates], float)
    print(f"SU({n}), beta {beta}, {kind}: mean z {z.mean():+.2f}, width {z.std(ddof=1):.2f}")
    assert abs(z.mean()) < 0.9
    assert abs(z.std(ddof=1) - 1) < 0.65


@pytest.mark.slow
def test_a_wrong_heatbath_is_found():
    """The proof can fail: a beta that is off by 2 %."""
    theory = Wilson(Links(SUN(3), (4, 4), jnp.float32), 6.0)
    wrong = eqx.tree_at(lambda s: s.theory, Heatbath(theory, 1), theory.at(6.12))
    exact = exact_observables(theory)["plaquette"]
    z = np.array([z_score(plaquette(wrong, seed, 32, 200), exact) for seed in range(4)], float)
    assert z.mean() > 0.5


def at(n: int, c1: float, beta: float, extent: int = 4) -> Wilson:
    """A theory in four dimensions."""
    space = Links(SUN(n), (extent,) * 4, jnp.float32)
    return Improved(space, beta, c1=c1) if c1 else Wilson(space, beta)


def trajectories(theory: Wilson) -> HMC:
    """HMC that also leaves a cold start, where forces vanish and all of the momentum heats."""
    n = theory.space.group.link_shape[0]
    return HMC(theory, *{2: (0.2, 6), 3: (0.125, 9)}[n], OMELYAN)


def precise(sampler: Sampler, seed: int, error: float) -> Estimate:
    """A plaquette with about this error: draws that are thrown away say how many that takes."""
    pilot = plaquette(sampler, seed, CHAINS, PILOT).error
    draws = PILOT * max(1, math.ceil((pilot / error) ** 2))
    return plaquette(sampler, seed + 1, CHAINS, min(draws, MOST))


def difference(theory: Wilson, seed: int, error: float) -> tuple[float, float]:
    """z of heatbath against HMC, and the error of their difference."""
    samplers = Heatbath(theory, overrelaxation=2), trajectories(theory)
    local, molecular = (precise(s, seed + 10 * i, error) for i, s in enumerate(samplers))
    z, both = compared(local, molecular)
    what = f"{theory.name}, beta {float(theory.beta):g}: {local.mean:.5f} +- {local.error:.5f}"
    print(f"{what}, z {z:+.1f}, tau {local.tau_int:.1f} and of HMC {molecular.tau_int:.1f}")
    return z, both


def compared(a: Estimate, b: Estimate) -> tuple[float, float]:
    """The difference in units of its error, and the error."""
    error = math.hypot(a.error, b.error)
    return (a.mean - b.mean) / error, error


@pytest.mark.slow
@pytest.mark.parametrize(("n", "c1", "beta"), UNSOLVED)
def test_four_dimensions(n: int, c1: float, beta: float):
    for seed in (0, 100):
        z, error = difference(at(n, c1, beta), seed, ERROR)
        assert error < 2e-4
        if abs(z) < 3:
            return
    pytest.fail(f"heatbath against HMC: z {z:+.1f}, twice")


@pytest.mark.parametrize(("n", "beta"), [(2, 2.5), (3, 5.7)])
def test_four_dimensions_in_seconds(n: int, beta: float):
    """The same with ten times the error, for every day; |z| < 4."""
    theory = at(n, 0.0, beta)
    samplers = Heatbath(theory, overrelaxation=2), trajectories(theory)
    z, error = compared(*(plaquette(s, i, 16, 64) for i, s in enumerate(samplers)))
    assert abs(z) < 4
    assert error < 4e-3


@pytest.mark.slow
@pytest.mark.parametrize(("beta", "known"), [(5.7, 0.549), (6.0, 0.594)])
@pytest.mark.parametrize("kind", ["heatbath", "hmc"])
def test_su3_on_a_larger_lattice(beta: float, known: float, kind: str):
    """What everybody finds, to the last digit that all remember."""
    theory = at(3, 0.0, beta, extent=8)
    if kind == "heatbath":
        found = plaquette(Heatbath(theory, overrelaxation=2), 0, 8, 200)
    else:  # which never leaves a cold start of a lattice of this size
        sampler = HMC(theory, 0.09, 12, OMELYAN)
        hot = start_chains(sampler, jax.random.key(int(10 * beta)), 8, cold=False)
        found = plaquette(sampler, 0, 8, 600, hot)
    print(f"8^4, beta {beta}, {kind}: {found.mean:.5f} +- {found.error:.5f}")
    assert found.error < 3e-4
    assert abs(found.mean - known) < 1e-3


@pytest.mark.slow
def test_a_wrong_beta_is_found_in_four_dimensions():
    """The proof can fail: beta is off by 0.2 %."""
    right, wrong = at(2, 0.0, 2.5), at(2, 0.0, 2.505)
    found = [precise(trajectories(theory), i, ERROR) for i, theory in enumerate((right, wrong))]
    assert abs(compared(*found)[0]) > 3
