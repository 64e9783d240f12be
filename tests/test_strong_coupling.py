"""Four dimensions at strong coupling: HMC against the expansion in characters.

A plaquette's weight is c_0 (1 + sum_R d_R a_R chi_R). In log Z closed surfaces of the fundamental
representation follow on log c_0, each with d^2 u^area, where u is its a. The smallest are the cubes
(six plaquettes, 2 (d - 2) of them at a plaquette), then two cubes without the plaquette between
them (ten; p = (d - 2) (2 d - 5) pairs at a plaquette). SU(3) has the conjugate of each besides, and
at area eleven the same pair with the plaquette, where three sheets of one representation meet:
2 d^3 int chi^3 = 54. So, a plaquette,

    log Z = log c_0 + (d - 2) / 3 g u^6 + p g u^10 (+ 54 p u^11) + O(u^12), g = 4 or 18,

with <Re tr P / N> its derivative by beta (compare Drouffe and Zuber 1983). What is left out is
taken to be at most the last term. 4^4 is infinite up to sheets around it, of area 16.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import i0e, i1e
from jaxtyping import Array

from gaugemc.arrays import Field
from gaugemc.chains import Measurement, sample
from gaugemc.exact.sun import plaquette
from gaugemc.groups import SUN, Group
from gaugemc.lattice import plaquette_staples
from gaugemc.observables.observable import LinkObservable
from gaugemc.samplers import HMC, OMELYAN
from gaugemc.spaces import Links
from gaugemc.statistics.autocorrelation import Estimate, estimate
from gaugemc.theories import Wilson


def expansion(n: int, beta: float, d: int) -> list[float]:
    """The terms of `<Re tr P / N>`: a plaquette, cubes, pairs of cubes; of SU(3) three sheets."""

    def one(beta: float) -> float:
        return plaquette(n, beta, 1000)  # of a plane, which is u

    step = 1e-4
    u, slope = one(beta), (one(beta + step) - one(beta - step)) / (2 * step)
    g, pairs = {2: 4, 3: 18}[n], (d - 2) * (2 * d - 5)
    terms = [u, 2 * (d - 2) * g * u**5 * slope, 10 * pairs * g * u**9 * slope]
    return [*terms, 11 * pairs * 54 * u**10 * slope] if n == 3 else terms


class LinkIntegrated(LinkObservable):
    """The plaquette of SU(2) with each link replaced by its mean, given its staples.

    With A = k V, V in SU(2), the mean of Re tr U A / 2 is k I_2(beta k) / I_1(beta k). Its variance
    is a fifth (beta = 1) or a twentieth (beta = 0.5) of the plaquette's.
    """

    name = "link_integrated"
    label = "link-integrated plaquette"
    beta: float

    def of_links(self, group: Group, links: Field) -> Array:
        means = []
        for mu in range(len(links)):
            staples = jnp.asarray(plaquette_staples(group, links, mu))
            k = jnp.sqrt(jnp.sum(jnp.abs(jnp.sum(staples, 0)) ** 2, axis=(-2, -1)) / 2)
            x = self.beta * k
            means.append(jnp.mean(k * (i0e(x) / i1e(x) - 2 / x)) / len(staples))
        return jnp.mean(jnp.stack(means))


def measured(n: int, beta: float, steps: tuple[float, int], draws: int) -> Estimate:
    """The plaquette on 4^4, of 32 chains."""
    hmc = HMC(Wilson(Links(SUN(n), (4, 4, 4, 4)), beta), *steps, OMELYAN)
    more = (LinkIntegrated(beta),) if n == 2 else ()
    measurement, key = Measurement(more=more), jax.random.key(1)
    samples = sample(hmc, key, chains=32, draws=draws, warmup=60, measurement=measurement)
    name = more[0].name if more else "plaquette"
    return estimate(samples.draws.observables[name])


def assert_expanded(found: Estimate, terms: list[float], error: float) -> None:
    """|z| < 4: a false alarm in 16 000."""
    print(f"{found.mean:.6f} +- {found.error:.6f}; {np.cumsum(terms)}")
    assert found.error < error
    assert abs(found.mean - sum(terms)) < 4 * found.error + terms[-1]


def test_the_series_in_beta() -> None:
    """Of SU(2), through beta^9: terms that are left out begin with beta^11 / 6000."""
    published = 1 / 4, -1 / 96, 7 / 1536, -31 / 23040, 4451 / 8847360
    for beta in (0.2, 0.5):
        series = sum(c * beta ** (2 * k + 1) for k, c in enumerate(published))
        assert sum(expansion(2, beta, 4)) == pytest.approx(series, rel=0, abs=2e-4 * beta**11)


def test_cubes_are_seen_at_strong_coupling() -> None:
    """The cubes' term, 2.8e-3, is ten errors at least."""
    found, terms = measured(2, 1.0, (0.4, 5), 100), expansion(2, 1.0, 4)
    assert_expanded(found, terms, error=2e-4)
    assert found.mean - terms[0] > 10 * found.error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "beta", "steps", "draws", "error"),
    [
        (2, 0.5, (0.5, 4), 1000, 2e-5),
        (2, 1.0, (0.4, 5), 1000, 6e-5),
        (3, 0.5, (0.2, 5), 800, 6e-5),
        (3, 3.0, (0.125, 8), 500, 1e-4),
    ],
)
def test_strong_coupling(
    n: int, beta: float, steps: tuple[float, int], draws: int, error: float
) -> None:
    """Cubes are 1.1e-4, 2.8e-3, 7e-8 and 1.9e-3; SU(3) at 0.5 differs by 1.2e-3 from beta / 18.

    Steps are short enough that cold chains, which start at the least action, also get away.
    """
    assert_expanded(measured(n, beta, steps, draws), expansion(n, beta, 4), error)
