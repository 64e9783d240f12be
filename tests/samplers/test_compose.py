"""Composed kernels, and the winding updates that they are for.

Statistical tests have fixed keys and |z| < 4.5 with Gamma-method errors from 64 chains: false
alarm 7e-6 a z-score, about 2e-4 for the file.
"""

import re
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.chains import sample
from gaugemc.exact.u1 import exact_observables
from gaugemc.flows import Chain, Flow
from gaugemc.groups import SUN, U1
from gaugemc.samplers import (
    HMC,
    Compose,
    ComposeInfo,
    ExactU1,
    Heatbath,
    Independence,
    Info,
    Sampler,
    Winding,
)
from gaugemc.spaces import Links, total
from gaugemc.statistics.autocorrelation import estimate, z_score
from gaugemc.theories import Gaussian, Theory, Wilson

THEORY = Wilson(Links(U1(), (4, 4)), 2.0)


class Squeeze(Flow):
    """Every link towards 0, tan(x / 2) = 0.8 tan(z / 2): not the identity, with a known inverse."""

    def forward(self, z):
        return self._scale(z, 0.8)

    def inverse(self, x):
        return self._scale(x, 1.25)

    def _scale(self, x, factor: float):
        s, c = jnp.sin(x / 2), jnp.cos(x / 2)
        return 2 * jnp.atan2(factor * s, c), total(jnp.log(factor / (c**2 + (factor * s) ** 2)))


FLOW = Squeeze()
PULLED_BACK = THEORY.pullback(FLOW)
WEAK = Wilson(THEORY.space, 0.5)  # where the proposals of such a flow are often accepted
WEAK_PULLED_BACK = WEAK.pullback(FLOW)


@eqx.filter_jit
def smooth(key: jax.Array, theory: Theory) -> jax.Array:
    """A configuration of charge 0 whose plaquettes are far from pi."""
    space = theory.space
    return space.project(space.move(space.origin(), space.random_momentum(key), 0.2))


@pytest.mark.parametrize(
    ("sampler", "beta"),
    [
        pytest.param(Compose((HMC(THEORY, 0.25, 4), Winding(THEORY))), 2.0, id="cycle"),
        pytest.param(
            Compose((Winding(THEORY), HMC(THEORY, 0.25, 4)), (0.4, 0.6)),
            2.0,
            marks=pytest.mark.slow,
            id="mixture",
        ),
        pytest.param(
            Compose((HMC(WEAK, 0.2, 2), Independence(WEAK, FLOW))),
            0.5,
            marks=pytest.mark.slow,
            id="flow proposals",
        ),
        pytest.param(
            Compose((HMC(WEAK_PULLED_BACK, 0.2, 2), Independence(WEAK_PULLED_BACK, Chain(())))),
            0.5,
            marks=pytest.mark.slow,
            id="proposals in flow variables",
        ),
    ],
)
def test_compositions_are_exact(sampler: Compose, beta: float, key: jax.Array):
    draws = sample(sampler, key, chains=64, draws=400, warmup=60).draws
    assert draws.info.accepted.mean() > 0.1
    for name, exact in exact_observables(beta, 16).items():
        result = estimate(draws.observables[name])
        z = z_score(result, exact)
        assert not result.lower_bound
        assert z is not None
        assert abs(z) < 4.5, name


class Stretch(Flow):
    """x = 1.5 z."""

    def forward(self, z):
        return 1.5 * z, jnp.asarray(z.size * np.log(1.5))

    def inverse(self, x):
        return x / 1.5, jnp.asarray(-x.size * np.log(1.5))


@pytest.mark.slow
def test_independence_weighs_what_other_members_made(key: jax.Array):
    """A Gaussian, where both moments feel a wrong weight of the configuration that HMC leaves."""
    theory = Gaussian(jnp.asarray([0.5, -0.1]), jnp.eye(2))
    sampler = Compose((HMC(theory, 0.3, 2), Independence(theory, Stretch())))
    draws = sample(sampler, key, chains=64, draws=400, warmup=40).draws
    for name, exact in (("mean", 0.2), ("mean_square", 1.13)):
        z = z_score(estimate(draws.observables[name]), exact)
        assert z is not None
        assert abs(z) < 4.5, name


class Place(NamedTuple):
    x: jax.Array


class Add(Sampler):
    """Adds a number to x; not a kernel of anything."""

    theory: Theory
    amount: float
    cost: int

    def init(self, key, hot=True):
        return self.state(self.start(key, hot))

    def state(self, x):
        return Place(x)

    def step(self, key, state):
        report = Info(
            jnp.asarray(self.cost > 1),
            jnp.asarray(1 / self.cost),
            jnp.log(jnp.asarray(self.cost, jnp.float64)),
            jnp.asarray(self.cost, jnp.int32),
        )
        return self.state(state.x + self.amount), report


def test_a_cycle_applies_all_members_in_order_and_adds_up_their_reports(key: jax.Array):
    gaussian = Gaussian(jnp.zeros(2), jnp.eye(2))
    cycle = Compose((Add(gaussian, 1.0, 1), Add(gaussian, 10.0, 2)))
    state, info = cycle.step(key, cycle.state(jnp.zeros(2)))
    np.testing.assert_array_equal(state.x, 11.0)
    assert info.accepted
    assert float(info.acceptance) == 0.75
    assert float(info.delta_h) == np.log(2)
    assert int(info.force_evaluations) == 3
    assert not Compose(cycle.samplers[::-1]).step(key, state)[1].accepted


def test_forces_are_counted_where_another_member_moved(key: jax.Array):
    """HMC of 3 steps: 3 forces, and a fourth where the chain is no longer where HMC left it."""
    cycle = Compose((HMC(THEORY, 0.2, 3), Winding(THEORY)))
    info = sample(cycle, key, chains=8, draws=40, warmup=0).draws.info
    assert isinstance(info, ComposeInfo)
    hmc, winding = info.members
    turned = np.asarray(winding.accepted)[:, :-1]
    assert 0.05 < turned.mean() < 0.95
    np.testing.assert_array_equal(np.asarray(hmc.force_evaluations)[:, 1:], 3 + turned)
    np.testing.assert_array_equal(hmc.force_evaluations, info.force_evaluations)
    assert not np.any(winding.force_evaluations)
    nested = Compose((cycle, HMC(THEORY, 0.2, 3)))
    assert (cycle.forces_of_state, nested.forces_of_state) == (1, 2)
    assert (cycle.names, Compose((*cycle.samplers, *cycle.samplers)).names[2:]) == (
        ("hmc", "winding"),
        ("hmc_2", "winding_2"),
    )


def test_members_keep_their_states(key: jax.Array):
    """HMC's state is untouched by a winding that was refused, and made anew after one that was not.

    The state's action is spoiled on purpose, so that it shows whose it is.
    """
    hmc, winding = HMC(THEORY, 0.2, 3), Winding(THEORY)
    cycle = Compose((winding, hmc))
    x = smooth(key, THEORY)
    state = cycle.state(x)
    spoiled = state.members[1]._replace(action=state.members[1].action - 1e6)
    state = state._replace(members=(state.members[0], spoiled))
    step = jax.jit(jax.vmap(cycle.step, (0, None)))
    _, info = step(jax.random.split(key, 64), state)
    turned = np.asarray(info.members[0].accepted)
    assert 0 < turned.sum() < 64
    np.testing.assert_array_equal(np.asarray(info.members[1].delta_h) > 1e5, ~turned)


def test_a_mixture_reports_who_moved(key: jax.Array):
    mixture = Compose((HMC(THEORY, 0.2, 3), Winding(THEORY)), (0.4, 0.6))
    info = sample(mixture, key, chains=8, draws=40, warmup=0).draws.info
    assert isinstance(info, ComposeInfo)
    hmc, winding = np.asarray(info.moved)
    np.testing.assert_array_equal(hmc, ~winding)
    assert 0.2 < hmc.mean() < 0.6
    for member, moved in zip(info.members, info.moved):
        np.testing.assert_array_equal(member.delta_h[moved], info.delta_h[moved])
        assert not np.any(member.delta_h[~moved])
        assert np.all(member.delta_h[moved] != 0)


def test_a_mixture_applies_one_member_with_its_probability(key: jax.Array):
    """4000 choices; each frequency within 4.5 standard deviations: false alarm 2e-5."""
    gaussian = Gaussian(jnp.zeros(2), jnp.eye(2))
    p = (0.2, 0.0, 0.5, 0.3)
    mixture = Compose([Add(gaussian, float(n), n) for n in (1, 2, 3, 4)], p)
    n = 4000
    states = jax.vmap(mixture.state)(jnp.zeros((n, 2)))
    states, info = jax.jit(jax.vmap(mixture.step))(jax.random.split(key, n), states)
    np.testing.assert_array_equal(states.x[:, 0], info.force_evaluations)
    counts = np.bincount(info.force_evaluations, minlength=5)[1:]
    errors = np.sqrt(n * np.asarray(p) * (1 - np.asarray(p)))
    assert counts[1] == 0
    assert np.all(np.abs(counts - n * np.asarray(p)) <= 4.5 * errors)


def test_a_state_is_made_anew_from_its_configuration(key: jax.Array):
    sampler = Independence(WEAK, FLOW)
    proposed = eqx.filter_jit(sampler.propose)(key)
    again = eqx.filter_jit(sampler.state)(proposed.x)
    np.testing.assert_allclose(again.log_weight, proposed.log_weight, atol=1e-11)
    x = smooth(key, THEORY)
    for sampler in (Heatbath(THEORY), ExactU1(THEORY), Winding(THEORY)):
        np.testing.assert_array_equal(sampler.state(x).x, x)


def test_samplers_without_a_state_of_a_configuration_are_refused(key: jax.Array):
    class Alone(Add):
        state = Sampler.state

    sampler = Compose((HMC(THEORY, 0.2, 1), Alone(THEORY, 0.0, 1)))
    with pytest.raises(NotImplementedError, match=r"Alone: .* method state\(x\)"):
        sample(sampler, key, chains=2, draws=1)


OTHER = Wilson(Links(U1(), (4, 6)), 2.0)


@pytest.mark.parametrize(
    ("samplers", "probabilities", "message"),
    [
        ((), None, "at least one sampler"),
        ((Winding(THEORY),), (0.5, 0.5), "2 probabilities for 1 samplers"),
        ((Winding(THEORY),) * 2, (1.5, -0.5), "[1.5, -0.5] must not be negative and must sum to 1"),
        ((Winding(THEORY),) * 2, (0.5, 0.4), "[0.5, 0.4] must not be negative and must sum to 1"),
        ((Winding(THEORY),) * 2, (float("nan"), 1.0), "[nan, 1.0] must not be negative"),
        (
            (HMC(THEORY, 0.1, 1), Winding(OTHER)),
            None,
            "Winding on 2D U(1) [2, 4, 6] float64 and HMC on 2D U(1) [2, 4, 4] float64",
        ),
        ((HMC(PULLED_BACK, 0.1, 1), Winding(THEORY)), None, "do not share a theory"),
        ((HMC(THEORY, 0.1, 1), Winding(Wilson(THEORY.space, 2.1))), None, "do not share a theory"),
    ],
)
def test_mistakes_are_refused_in_one_line(samplers, probabilities, message: str):
    with pytest.raises(ValueError, match="^compose: .*" + re.escape(message)) as caught:
        Compose(samplers, probabilities)
    assert "\n" not in str(caught.value)


def test_equal_theories_that_are_not_the_same_object_are_accepted():
    Compose((HMC(PULLED_BACK, 0.1, 1), Winding(Wilson(Links(U1(), (4, 4)), 2.0).pullback(FLOW))))


@pytest.mark.parametrize(
    ("lattice", "real"),
    [((6, 4), jnp.float32), ((6, 8), jnp.float64), ((2, 5), jnp.float64)],
    ids=["6x4-f32", "6x8-f64", "2x5-f64"],
)
def test_winding_changes_the_charge_by_one_and_back(lattice, real, key: jax.Array):
    theory = Wilson(Links(U1(), lattice, real), 2.0)
    propose, observables = (
        eqx.filter_jit(Winding(theory).propose),
        eqx.filter_jit(theory.observables),
    )
    x = smooth(key, theory)
    assert observables(x)["charge"] == 0
    for sign in (1.0, -1.0):
        moved = propose(x, jnp.asarray(sign))
        assert moved.dtype == real
        assert observables(moved)["charge"] == sign
        back = propose(moved, jnp.asarray(-sign))
        np.testing.assert_allclose(back, x, atol=1e-6 if real == jnp.float32 else 1e-14)


def test_the_instanton_has_the_least_action_of_its_charge():
    theory = Wilson(Links(U1(), (4, 6)), 3.0)
    least = -3.0 * 24 * np.cos(2 * np.pi / 24)
    np.testing.assert_allclose(theory.action(Winding(theory).instanton), least, rtol=1e-14)


def test_winding_chains_stay_in_the_interval_with_both_signs(key: jax.Array):
    theory = Wilson(Links(U1(), (8, 8)), 4.0)
    action = jax.jit(jax.vmap(theory.action))

    @jax.jit
    @jax.vmap
    def step(key: jax.Array):
        x = smooth(key, theory)
        states, info = Winding(theory).step(key, Winding(theory).state(x))
        return x, states, info, theory.observables(states.x)["charge"]

    x, states, info, charges = step(jax.random.split(key, 200))
    charges = np.asarray(charges)
    assert set(charges) == {-1, 0, 1}
    np.testing.assert_array_equal(charges != 0, info.accepted)
    assert jnp.abs(states.x).max() <= np.pi
    change = action(states.x) - action(x)
    np.testing.assert_allclose(
        change[info.accepted], np.asarray(info.delta_h)[info.accepted], atol=1e-10
    )


@pytest.mark.parametrize(
    "theory",
    [
        Wilson(Links(U1(), (4, 4, 4)), 1.0),
        Wilson(Links(SUN(2), (4, 4)), 1.0),
        Gaussian(jnp.zeros(2), jnp.eye(2)),
    ],
    ids=lambda theory: theory.name,
)
def test_winding_needs_a_charge(theory: Theory):
    with pytest.raises(ValueError, match="winding: needs 2D U"):
        Winding(theory)
