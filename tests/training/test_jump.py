"""Expected jumps: the loss, what it trains, and the chains that it carries."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.chains import sample
from gaugemc.groups import SUN, U1
from gaugemc.observables.clover_charge import CloverCharge
from gaugemc.observables.energy import Energy
from gaugemc.samplers import L2HMC, GeneralisedLeapfrog, trainable_leapfrog
from gaugemc.spaces import Links
from gaugemc.theories import (
    GradientFlow,
    Theory,
    Wilson,
    flow_kernel,
    strongly_correlated_gaussian,
)
from gaugemc.training import (
    BetaSchedule,
    ChargeJump,
    DistanceJump,
    ExpectedJump,
    FlowedJump,
    Jump,
    LinkJump,
    Passes,
    PlaquetteJump,
    SquareJump,
    WhitenedJump,
    optimiser,
    start_training,
    train,
)

GAUSSIAN = strongly_correlated_gaussian()
WILSON = Wilson(Links(U1(), (2, 2)), 2.0)


pytestmark = pytest.mark.usefixtures("quick_compilation")


def small(theory: Theory, key: jax.Array, step_size: float = 0.15) -> GeneralisedLeapfrog:
    return trainable_leapfrog(
        key, theory.space, n_layers=3, step_size=step_size, hidden=(8,), separate=False
    )


def test_the_loss_is_that_of_the_sampler(key: jax.Array) -> None:
    """Against the jumps of the sampler's own draws, over many chains: within 5 %."""
    leapfrog = small(GAUSSIAN, key)
    objective = ExpectedJump(GAUSSIAN, (DistanceJump(2.0, scale=0.5),), Passes("random"), "plain")
    sampler = L2HMC(GAUSSIAN, leapfrog, "random")
    x = jnp.zeros((4096, 2)) + 0.3
    loss, moved = eqx.filter_jit(objective)(leapfrog, key, jnp.asarray(0), x)
    states = jax.vmap(sampler.state)(x)
    v = jax.random.normal(jax.random.fold_in(key, 1), x.shape)
    forward = jnp.ones(4096, bool)
    proposals, delta_h = eqx.filter_jit(jax.vmap(lambda *a: sampler.propose(*a)))(
        states, v, forward
    )
    delta_h, jumps = np.asarray(delta_h), np.asarray(proposals.x - x)
    d = np.minimum(1, np.exp(-delta_h)) * np.sum(jumps**2, 1) / 0.5
    assert float(loss) == pytest.approx(-2 * d.mean(), rel=0.05)
    stayed = float(jnp.mean(jnp.all(moved == x, axis=1)))
    assert stayed == pytest.approx(1 - np.minimum(1, np.exp(-delta_h)).mean(), abs=0.04)


@pytest.mark.slow
def test_the_mixed_loss_punishes_chains_that_rest(key: jax.Array) -> None:
    """Of one chain, 1 / d - d where the plain loss is -d, up to the smallest d of 1e-4."""
    leapfrog, x = small(GAUSSIAN, key), jnp.full((1, 2), 0.3)
    plain, mixed = (
        float(objective(leapfrog, key, jnp.asarray(0), x)[0])
        for objective in (
            ExpectedJump(GAUSSIAN, (DistanceJump(),), Passes("random"), form)
            for form in ("plain", "mixed")
        )
    )
    d = -plain + 1e-4
    assert mixed == pytest.approx(1 / d - d)


def test_the_auxiliary_loss_is_that_of_proposals_from_the_prior(key: jax.Array) -> None:
    """Weight times the loss at 4096 draws of the prior, within 5 %; the chains are as without."""
    leapfrog, chains = small(GAUSSIAN, key), jnp.zeros((4096, 2)) + 1.0

    @eqx.filter_jit
    def loss(weight: float, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        objective = ExpectedJump(
            GAUSSIAN, (DistanceJump(),), Passes("random"), "plain", aux_weight=weight
        )
        return objective(leapfrog, key, jnp.asarray(0), x)

    plain, moved = loss(0.0, chains)
    both, moved_too = loss(3.0, chains)
    keys = jax.random.split(jax.random.fold_in(key, 1), len(chains))
    prior, _ = loss(0.0, jax.vmap(GAUSSIAN.space.random)(keys))
    assert float(both - plain) == pytest.approx(3 * float(prior), rel=0.05)
    assert abs(float(prior - plain)) > 0.2 * abs(float(plain))
    np.testing.assert_array_equal(moved, moved_too)
    with pytest.raises(ValueError, match="aux_weight"):
        loss(-1.0, chains)


@pytest.mark.slow
def test_training_lengthens_the_jumps(key: jax.Array) -> None:
    """The mean squared change per draw of the slow direction grows fivefold in 400 steps.

    The theory and the masks stay as they are.
    """
    leapfrog = small(GAUSSIAN, key)
    objective = ExpectedJump(GAUSSIAN, (DistanceJump(scale=10.0),))
    optimise = optimiser(1e-2, 400, warmup=20)
    state = start_training(leapfrog, optimise, objective.start(leapfrog, key, 64))
    losses = []
    for state, metrics in train(objective, optimise, state, key, 400, 200):  # noqa: B007
        losses.append(metrics.loss)
    assert losses[-1][-50:].mean() < losses[0][:50].mean()
    np.testing.assert_array_equal(state.model.masks, leapfrog.masks)
    jumps = []
    for model in (leapfrog, state.model):
        samples = sample(L2HMC(GAUSSIAN, model), key, chains=32, draws=100, warmup=50)
        widest = samples.draws.observables["widest"]
        jumps.append(np.mean(np.diff(widest, axis=1) ** 2))
    assert jumps[1] > 5 * jumps[0]


@pytest.mark.slow
def test_chunks_do_not_change_the_chains(key: jax.Array) -> None:
    leapfrog = small(WILSON, key)
    objective = ExpectedJump(
        WILSON, (ChargeJump(scale=0.1), PlaquetteJump(0.5)), beta=BetaSchedule(2.0, 6)
    )
    optimise = optimiser(1e-2, 6)
    start = start_training(leapfrog, optimise, objective.start(leapfrog, key, 4))
    (whole, metrics), *_ = train(objective, optimise, start, key, 4, 4)
    parts = list(train(objective, optimise, start, key, 4, 2))
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(parts[-1][0]), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(metrics.loss, np.concatenate([m.loss for _, m in parts]))
    assert bool(jnp.all(jnp.any(whole.chains != start.chains, axis=(1, 2, 3))))
    assert np.all(metrics.gradient_norm > 0)


@pytest.mark.slow
def test_beta_follows_the_schedule(key: jax.Array) -> None:
    """At beta 0 every trajectory of untrained networks is accepted."""
    leapfrog = small(WILSON, key, 0.7)
    x = jnp.stack([WILSON.space.random(k) for k in jax.random.split(key, 32)])
    moved = []
    for start in (0.0, 1.0):
        schedule = BetaSchedule(8.0, 10, start=start)
        objective = ExpectedJump(WILSON, (PlaquetteJump(),), beta=schedule)
        after = eqx.filter_jit(objective)(leapfrog, key, jnp.asarray(0), x)[1]
        moved.append(float(jnp.mean(jnp.any(after != x, axis=(1, 2, 3)))))
    assert moved[0] == 1 > moved[1]


def test_jumps_have_their_size() -> None:
    """One link turned by an angle changes two plaquettes; charges and weights as in the formula."""
    x = jnp.zeros((2, 2, 2))
    y = x.at[0, 0, 0].set(0.5)
    assert float(ChargeJump().squared(WILSON, x, y)) == pytest.approx(0.0, abs=1e-15)
    expected = 2 * 2 * (1 - np.cos(0.5)) / 4
    assert float(PlaquetteJump().squared(WILSON, x, y)) == pytest.approx(expected)
    z = y.at[1, 0, 0].set(0.3)
    charge = (np.sin(0.2) - np.sin(0.5) + np.sin(0.3)) / (2 * np.pi)
    assert float(ChargeJump().squared(WILSON, x, z)) == pytest.approx(charge**2)
    assert float(DistanceJump().squared(GAUSSIAN, jnp.zeros(2), jnp.ones(2))) == 2
    assert float(SquareJump().squared(GAUSSIAN, -jnp.ones(2), jnp.ones(2))) == 0
    assert float(SquareJump().squared(GAUSSIAN, jnp.ones(2), 2 * jnp.ones(2))) == 18
    # One narrow and one wide direction, of variances 0.1 and 100, each by one of its widths.
    narrow, wide = jnp.full(2, (0.1 / 2) ** 0.5), jnp.asarray([1.0, -1.0]) * (100 / 2) ** 0.5
    for step in (narrow, wide):
        assert float(WhitenedJump().squared(GAUSSIAN, step, 2 * step)) == pytest.approx(1.0)


def test_jumps_of_matrices_have_their_size() -> None:
    """One of 8 links of SU(2) is turned by an angle: two of 4 plaquettes change their traces."""
    theory = Wilson(Links(SUN(2), (2, 2)), 2.0)
    x = theory.space.origin()
    y = x.at[0, 0, 0].set(jnp.diag(jnp.exp(jnp.asarray([0.5j, -0.5j]))))
    change = 1 - np.cos(0.5)
    assert float(LinkJump().squared(theory, x, y)) == pytest.approx(2 * change / 8)
    assert float(PlaquetteJump().squared(theory, x, y)) == pytest.approx(2 * change**2 / 4)


def test_jumps_along_the_flow(key: jax.Array) -> None:
    """The change of E and of Q at a flow time, whose derivative is that of finite differences."""
    theory = Wilson(Links(SUN(2), (2, 2, 2, 2), jnp.float64), 2.0)
    x, y = (theory.space.random(k) for k in jax.random.split(key))
    v = theory.space.random_momentum(key)
    flow = GradientFlow(flow_kernel(theory.space), 0.1)
    for observable in (Energy(), CloverCharge()):
        jump = FlowedJump(observable=observable, time=0.2)

        def squared(e: jax.Array, jump: FlowedJump = jump) -> jax.Array:
            return jump.squared(theory, x, theory.space.move(y, v, e))

        before, after = (float(observable(theory.space, flow(z, 0.2))) for z in (x, y))
        assert float(squared(jnp.zeros(()))) == pytest.approx((after - before) ** 2, rel=1e-9)
        slope = (squared(jnp.asarray(1e-4)) - squared(jnp.asarray(-1e-4))) / 2e-4
        assert float(jax.grad(squared)(jnp.zeros(()))) == pytest.approx(float(slope), rel=1e-4)
    with pytest.raises(ValueError, match="time 0"):
        FlowedJump(time=0.0)


@pytest.mark.parametrize(
    ("theory", "jumps", "form", "message"),
    [
        (GAUSSIAN, (), "mixed", "at least one"),
        (GAUSSIAN, (ChargeJump(),), "mixed", "no meaning"),
        (WILSON, (DistanceJump(),), "plain", "no meaning"),
    ],
)
def test_impossible_objectives_are_refused(
    theory: Theory, jumps: tuple[Jump, ...], form: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ExpectedJump(theory, jumps, Passes("random"), form)
    with pytest.raises(ValueError, match="scale"):
        DistanceJump(1.0, 0.0)
