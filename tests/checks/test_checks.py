"""Outcomes of checks, and the checks of chains.

Statistical tests have fixed keys; the limit is |z| = 4, false alarm 6e-5 a z-score.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.arrays import Field
from gaugemc.chains import sample
from gaugemc.checks import of_chains, tally
from gaugemc.checks.chains import against_exact, exp_minus_delta_h
from gaugemc.checks.outcome import Check, bounded, normal, outcome_of, undecided
from gaugemc.checks.tangent import basis, log_det_error
from gaugemc.flows import stout_flow
from gaugemc.groups import SUN, U1
from gaugemc.samplers import HMC, Compose, Sampler, Winding
from gaugemc.spaces import Links
from gaugemc.statistics.autocorrelation import Estimate, estimates_of
from gaugemc.theories import Gaussian, Wilson


def found(sampler: Sampler, key: jax.Array, chains: int, draws: int) -> dict[str, Check]:
    """The checks of a sampler's chains, against exact values that the theory knows itself."""
    made = sample(sampler, key, chains=chains, draws=draws, warmup=60).draws
    theory = sampler.theory
    estimates = estimates_of(made.observables, theory.leading)
    return of_chains(sampler, made, estimates, theory.exact_observables(), theory.leading)


class Cooled(Links):
    """Links with momenta that are too small: HMC with them is wrong."""

    factor: float = 0.9

    def random_momentum(self, key):
        return self.factor * super().random_momentum(key)


@pytest.mark.parametrize("factor", [1.0, 0.9])
def test_each_member_of_a_cycle_is_checked(factor: float, key: jax.Array):
    theory = Wilson(Cooled(U1(), (4, 4), factor=factor), 1.0)
    cycle = Compose((HMC(theory, 0.55, 2), Winding(theory)))
    checks = found(cycle, key, 64, 600)
    assert checks.keys() == {
        "convergence",
        "exp_minus_delta_h.hmc",
        "exp_minus_delta_h.winding",
    }
    assert checks["convergence"].passed
    assert checks["exp_minus_delta_h.hmc"].passed == (factor == 1)


def test_members_of_a_mixture_are_checked_by_the_draws_in_which_they_moved(key: jax.Array):
    theory = Gaussian(jnp.zeros(2), jnp.eye(2))
    mixture = Compose((HMC(theory, 0.9, 2), HMC(theory, 0.3, 2)), (0.1, 0.9))
    checks = found(mixture, key, 16, 600)
    assert {"exp_minus_delta_h.hmc", "exp_minus_delta_h.hmc_2"} < checks.keys()
    assert all(check.passed for check in checks.values())
    # <exp(-dH)> of the moves alone: draws without one would pull a wrong mean towards 1.
    rng = np.random.default_rng(1)
    moved = rng.random((16, 1000)) < 0.1
    wrong = exp_minus_delta_h(np.where(moved, rng.normal(0.5, 0.5, moved.shape), 0.0), moved)
    assert wrong.outcome == "failed"
    assert wrong.numbers["mean"] == pytest.approx(np.exp(-0.5 + 0.125), rel=0.1)


@pytest.mark.parametrize("width", [0.1, 1.0, 2.0, 4.0])
def test_rare_draws_do_not_decide(width: float):
    """Normal dH of mean width^2 / 2 are exact; their exp(-dH) are log-normal with heavy tails.

    Of 20 seeds none may fail; of 20 whose dH is shifted by a fifth of the width, all must where
    rare draws do not hide the shift.
    """
    outcomes = {0.0: [], 0.2: []}
    for seed in range(20):
        dh = np.random.default_rng(seed).normal(width**2 / 2, width, (16, 400))
        for shift, list_of in outcomes.items():
            check = exp_minus_delta_h(dh + shift * width, np.ones(dh.shape, bool))
            list_of.append(check.outcome)
    assert "failed" not in outcomes[0.0]
    assert outcomes[0.0].count("passed") >= 15
    if width <= 1:
        assert outcomes[0.2].count("failed") >= 18


def test_a_mean_without_moves_or_numbers_is_not_a_pass():
    every = np.ones((8, 100), bool)
    assert exp_minus_delta_h(np.full(every.shape, 5000.0), every).outcome == "undecided"
    assert exp_minus_delta_h(np.full(every.shape, np.inf), every).outcome == "undecided"
    assert exp_minus_delta_h(np.full(every.shape, -5000.0), every).outcome == "failed"
    assert exp_minus_delta_h(np.full(every.shape, -5000.0), every, "R-hat 9").outcome == "undecided"


def test_bounds_neither_pass_nor_fail():
    """Whatever their z-score; a mean that is not a number fails."""
    for mean in (0.0, 9.0):
        check = against_exact(Estimate(mean, 1.0, 9.0, 1.0, True, "charge is frozen"), 0.0)
        assert check.outcome == "undecided"
        assert check.passed is None
        assert check.why == "charge is frozen"
    assert against_exact(Estimate(9.0, 1.0, 0.5, 0.1, False), 0.0).outcome == "failed"
    assert against_exact(Estimate(3.0, 1.0, 0.5, 0.1, False), 0.0).outcome == "passed"
    assert against_exact(Estimate(np.nan, 1.0, 0.5, 0.1, True, "?"), 0.0).outcome == "failed"


def test_chains_that_never_move_are_undecided(key: jax.Array):
    theory = Gaussian(jnp.zeros(2), jnp.eye(2))
    checks = found(HMC(theory, 60.0, 1), key, 8, 100)
    convergence = checks["convergence"]
    assert convergence.outcome == "undecided"
    assert "acceptance 0" in convergence.why
    assert "8 of 8 chains never accepted a proposal" in convergence.why
    assert "frozen" in convergence.why
    assert "short" not in convergence.why
    assert not any(check.passed for check in checks.values())


def test_chains_that_disagree_are_undecided_and_so_is_what_they_say(key: jax.Array):
    """Chains in the two halves of a wide Gaussian, in steps that are far too small."""
    theory = Gaussian(jnp.zeros(1), 1e4 * jnp.eye(1), start=100.0)
    checks = found(HMC(theory, 0.05, 2), key, 8, 200)
    assert "R-hat" in checks["convergence"].why
    assert "have not forgotten their starts" in checks["convergence"].why
    assert checks["mean"].outcome == "undecided"


def test_a_large_z_of_unsettled_chains_proves_nothing():
    assert normal(9.0, 4.0).outcome == "failed"
    assert normal(9.0, 4.0, "R-hat 88").why == "z = +9.0, but R-hat 88"
    assert normal(3.9, 4.0, "R-hat 88").outcome == "passed"
    assert bounded(np.nan, 1.0).outcome == "failed"


def test_the_tally_counts_nothing_undecided_as_passed():
    good, bad, what = bounded(0.0, 1.0), bounded(2.0, 1.0), undecided("too short")
    assert bad.as_dict() == {
        "outcome": "failed",
        "passed": False,
        "why": "2 is above the limit of 1",
        "value": 2.0,
        "limit": 1.0,
    }
    assert what.as_dict() == {"outcome": "undecided", "passed": None, "why": "too short"}

    def counted(**checks: Check):
        return tally({name: check.as_dict() for name, check in checks.items()})

    assert counted(a=good, b=good).sentence() == "all 2 exactness checks passed"
    assert counted(a=good, b=good).proven
    assert counted(a=good, b=what).sentence() == "1 of 2 exactness checks passed, 1 undecided"
    assert not counted(a=good, b=what).proven
    assert counted(a=good, hmc_b=what).proven
    said = counted(a=good, hmc_b=what).sentence()
    assert said == "1 of 2 exactness checks passed, 1 undecided, all of HMC"
    assert not counted(a=good, hmc_b=bad).proven
    failing = counted(a=good, b=bad, c=what)
    assert failing.sentence() == "1 of 3 exactness checks FAILED: b, 1 undecided"
    assert counted().sentence() == "nothing was checked"
    # Summaries of older versions know no outcome.
    assert [outcome_of({"passed": p}) for p in (True, False, None)] == [
        "passed",
        "failed",
        "undecided",
    ]


@pytest.mark.parametrize(
    "space", [Links(SUN(2, native=False), (4, 4)), Links(U1(), (4, 4))], ids=lambda s: s.name
)
def test_a_map_may_have_backward_derivatives_alone(space: Links, key: jax.Array) -> None:
    """What its log-det is compared with is the same, and so is the verdict on a wrong one."""
    flow = stout_flow(space, sweeps=1, rho=0.1)

    def forward(x: Field) -> tuple[Field, jax.Array]:
        return flow.forward(x)

    backward_alone = jax.custom_vjp(forward)
    backward_alone.defvjp(lambda x: (forward(x), x), lambda x, by: jax.vjp(forward, x)[1](by))
    x, momenta = space.random(key), jnp.asarray(basis(space))
    for offset, found in ((0.0, True), (1e-3, False)):

        def claimed(x: Field, offset: float = offset) -> tuple[Field, jax.Array]:
            y, log_det = backward_alone(x)
            return y, log_det + offset

        error = float(jax.jit(lambda x: log_det_error(claimed, x, momenta, space.move))(x))
        assert (error < 1e-5) == found
