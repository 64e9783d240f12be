"""The long proof: z-scores of every sampler against exact values, over many seeds.

Each seed is a run of its own, analysed as a user would (Gamma method over chains). If a sampler
were biased by a tenth of its statistical error times sqrt(SEEDS), the mean z would show it.
For correct samplers and errors the mean of SEEDS z-scores has a standard error of 0.16 and their
width one of 0.11: the limits of 0.5 and 0.35 are passed by chance with probability 0.003 each.
Of estimates that hold all modes 1 % are called bounds by chance, at most 3 % of any kind of chain
(docs/exactness.md): more than MOST_BOUNDS of 2 SEEDS have a probability of 0.0007 at 3 %.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from gaugemc.chains import sample
from gaugemc.chains.driver import start_chains
from gaugemc.exact.u1 import exact_observables, log_partition_function
from gaugemc.flows import Chain, Flow, multiscale_flow
from gaugemc.groups import U1
from gaugemc.samplers import HMC, OMELYAN, Compose, Heatbath, Independence, Sampler, Winding
from gaugemc.spaces import Links
from gaugemc.statistics.autocorrelation import estimate, estimates_of, z_score
from gaugemc.theories import Wilson
from gaugemc.training import LevelKL, optimiser, quality, start_training, train
from gaugemc.tuning import tune_step_size

SEEDS = 40
MOST_BOUNDS = 8
LATTICE = (8, 8)
BETAS = (1.0, 2.0, 4.0)

pytestmark = pytest.mark.slow


def theory_at(beta: float) -> Wilson:
    return Wilson(Links(U1(), LATTICE, jnp.float32), beta)


@pytest.fixture(scope="module")
def flows() -> dict[float, Flow]:
    """A flow for each beta, trained briefly: acceptance must have something to do."""
    trained = {}
    for beta in BETAS:
        theory, steps = theory_at(beta), 300
        adam = optimiser(0.1, steps)
        state = start_training(multiscale_flow(theory.space), adam)
        objective = LevelKL(theory, 48, log_partition_function(beta, 64))
        ((state, _),) = train(objective, adam, state, jax.random.key(6), steps, steps)
        assert 0.5 < quality(state.model, theory, jax.random.key(7)).ess < 1
        trained[beta] = state.model
    return trained


def tuned(sampler: HMC, length: float, key: Array) -> HMC:
    states = start_chains(sampler, key, 32)
    return tune_step_size(
        sampler, key, states, length=length, target=0.8, iterations=40, most_steps=20
    )[0]


def z_scores(sampler: Sampler, beta: float, *, chains: int, draws: int, warmup: int) -> np.ndarray:
    """z of plaquette and Q^2 for each seed, shape [seed, 2]."""
    exact = exact_observables(beta, LATTICE[0] * LATTICE[1])
    table, bounds = [], []
    for seed in range(SEEDS):
        samples = sample(
            sampler, jax.random.key(1000 + seed), chains=chains, draws=draws, warmup=warmup
        )
        row = []
        for name in ("plaquette", "charge_squared"):
            result = estimate(samples.draws.observables[name])
            bounds += [result.reason] if result.lower_bound else []
            row.append(z_score(result, exact[name]))
        table.append(row)
    assert len(bounds) <= MOST_BOUNDS, bounds
    return np.asarray(table, np.float64)


def assert_standard_normal(z: np.ndarray):
    for name, column in zip(("plaquette", "Q^2"), z.T):
        mean, width = column.mean(), column.std(ddof=1)
        print(f"{name}: mean z {mean:+.2f}, width {width:.2f}")
        assert abs(mean) < 0.5, name
        assert abs(width - 1) < 0.35, name


@pytest.mark.parametrize("beta", BETAS)
def test_hmc(beta: float, key: Array):
    hmc = tuned(HMC(theory_at(beta), 0.2, 5, OMELYAN), 1.0, key)
    # At beta = 4 the charge needs some 60 trajectories for one independent value.
    draws = {1.0: 300, 2.0: 500, 4.0: 3000}[beta]
    assert_standard_normal(z_scores(hmc, beta, chains=32, draws=draws, warmup=draws // 3))


def test_hmc_where_the_charge_is_frozen(key: Array):
    """At beta = 6 HMC's plaquette depends on |Q|, which stands still: nothing may be claimed of it.

    The width of z over estimates that are no bounds is at most 1.2, and there are none: half of the
    chains start hot and keep too much charge, so the mean is off by about one error of the spread.
    """
    theory = theory_at(6.0)
    hmc = tuned(HMC(theory, 0.2, 5, OMELYAN), 0.5, key)
    exact = exact_observables(6.0, LATTICE[0] * LATTICE[1])["plaquette"]
    z, claimed = [], []
    for seed in range(SEEDS):
        draws = sample(hmc, jax.random.key(1000 + seed), chains=64, draws=4000, warmup=500).draws
        found = estimates_of(draws.observables, theory.leading)["plaquette"]
        z.append(z_score(found, exact))
        claimed += [] if found.lower_bound else [z[-1]]
    print(f"plaquette: mean z {np.mean(z):+.2f}, width {np.sqrt(np.mean(np.square(z))):.2f}")
    assert len(claimed) <= SEEDS / 20
    assert all(abs(one) <= 4 for one in claimed)


@pytest.mark.parametrize("beta", BETAS)
def test_heatbath(beta: float):
    draws = {1.0: 200, 2.0: 300, 4.0: 3000}[beta]
    sampler = Heatbath(theory_at(beta), overrelaxation=2)
    assert_standard_normal(z_scores(sampler, beta, chains=32, draws=draws, warmup=draws // 3))


@pytest.mark.parametrize("beta", BETAS)
def test_field_transformation_hmc(beta: float, flows: dict[float, Flow]):
    """Three steps in the flow's variables, with spikes of the force damped."""
    pulled_back = theory_at(beta).pullback(flows[beta])
    sampler = HMC(pulled_back, 0.3, 3, OMELYAN, force_scale=0.3)
    assert_standard_normal(z_scores(sampler, beta, chains=32, draws=300, warmup=50))


@pytest.mark.parametrize("beta", BETAS)
def test_independence_metropolis(beta: float, flows: dict[float, Flow]):
    sampler = Independence(theory_at(beta), flows[beta])
    assert_standard_normal(z_scores(sampler, beta, chains=32, draws=300, warmup=50))


@pytest.mark.parametrize("beta", BETAS)
def test_a_mixture_of_moves(beta: float, flows: dict[float, Flow]):
    """Field-transformation HMC, or with probability 0.3 the flow's own proposals."""
    pulled_back = theory_at(beta).pullback(flows[beta])
    hmc = HMC(pulled_back, 0.3, 3, OMELYAN, force_scale=0.3)
    sampler = Compose((hmc, Independence(pulled_back, Chain(()))), (0.7, 0.3))
    assert_standard_normal(z_scores(sampler, beta, chains=32, draws=300, warmup=50))


@pytest.mark.parametrize("beta", BETAS)
def test_hmc_and_instantons(beta: float, key: Array):
    hmc = tuned(HMC(theory_at(beta), 0.2, 5, OMELYAN), 1.0, key)
    sampler = Compose((hmc, Winding(theory_at(beta))))
    assert_standard_normal(z_scores(sampler, beta, chains=32, draws=500, warmup=100))


def test_a_wrong_sampler_is_found(key: Array):
    """The proof can fail: HMC at a beta that is off by 3 %."""
    theory = theory_at(2.0)
    hmc = tuned(HMC(theory, 0.2, 5, OMELYAN), 1.0, key)
    wrong = eqx.tree_at(lambda s: s.theory, hmc, theory.at(2.06))
    z = z_scores(wrong, 2.0, chains=32, draws=500, warmup=100)
    with pytest.raises(AssertionError):
        assert_standard_normal(z)
