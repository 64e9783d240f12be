"""The long proof for SU(N): against exact plaquettes in 2D, and HMC against heatbath in 4D.

In two dimensions each seed is a run of its own, as in test_exactness.py. For correct samplers and
errors the mean of 60 z-scores has a standard error of 0.13 and their width one of 0.09: the limits
of 0.5 and 0.35 are passed by chance with probability 1e-4 each, and 4e-3 in all 20 cases.
In four dimensions HMC and heatbath share no code but the action's loops. |z| < 4 in 12 cases is
passed by chance with probability 8e-4.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from test_exactness import tuned

from gaugemc.chains import sample
from gaugemc.exact.solved import exact_observables
from gaugemc.groups import SUN
from gaugemc.samplers import HMC, OMELYAN, Heatbath, Sampler
from gaugemc.spaces import Links
from gaugemc.statistics.autocorrelation import Estimate, estimate, z_score
from gaugemc.theories import Improved, Wilson

SEEDS = 60
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

pytestmark = pytest.mark.slow


def hmc(theory: Wilson, key: Array) -> HMC:
    return tuned(HMC(theory, 0.2, 5, OMELYAN), 1.0, key)


def plaquette(sampler: Sampler, seed: int, chains: int, draws: int) -> Estimate:
    key = jax.random.key(1000 + seed)
    drawn = sample(sampler, key, chains=chains, draws=draws, warmup=draws // 3).draws
    return estimate(drawn.observables["plaquette"])


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


def test_a_wrong_heatbath_is_found():
    """The proof can fail: a beta that is off by 2 %."""
    theory = Wilson(Links(SUN(3), (4, 4), jnp.float32), 6.0)
    wrong = eqx.tree_at(lambda s: s.theory, Heatbath(theory, 1), theory.at(6.12))
    exact = exact_observables(theory)["plaquette"]
    z = np.array([z_score(plaquette(wrong, seed, 32, 200), exact) for seed in range(4)], float)
    assert z.mean() > 0.5


@pytest.mark.parametrize(("n", "c1", "beta"), UNSOLVED)
def test_four_dimensions(n: int, c1: float, beta: float, key: Array):
    space = Links(SUN(n), (4, 4, 4, 4), jnp.float32)
    theory = Improved(space, beta, c1=c1) if c1 else Wilson(space, beta)
    local = plaquette(Heatbath(theory, overrelaxation=2), 0, 16, 300)
    molecular = plaquette(hmc(theory, key), 1, 16, 300)
    error = float(np.hypot(local.error, molecular.error))
    z = (local.mean - molecular.mean) / error
    print(f"SU({n}), c1 {c1}, beta {beta}: {local.mean:.5f}, HMC {molecular.mean:.5f}, z {z:+.1f}")
    assert abs(z) < 4
    assert error < 1e-3
    if beta < 1 and c1 == 0:
        first = beta / {2: 4, 3: 18}[n]
        assert abs(local.mean - first) < 0.1 * first
