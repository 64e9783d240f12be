"""Training: the loss, schedules, clipping, chunks, divergence."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from composed import composed
from jaxtyping import Array

from gaugemc.exact import u1 as exact_u1
from gaugemc.flows import NCP, Flow, gauge_flow
from gaugemc.flows.flow import Chain
from gaugemc.groups import U1
from gaugemc.run.train_phase import descent_of
from gaugemc.run.trainee import build_trainee
from gaugemc.spaces import Links
from gaugemc.theories import Wilson
from gaugemc.training import (
    BetaSchedule,
    GrowingBatch,
    Plateau,
    ReverseKL,
    TrainingDivergedError,
    learning_rates,
    optimiser,
    plateau_scale,
    quality,
    start_training,
    train,
)
from gaugemc.training.quality import effective_sample_size

LINKS = Links(U1(), (4, 4))
THEORY = Wilson(LINKS, 1.0)
LOG_Z = exact_u1.log_partition_function(1.0, 16)


def small_flow(key: Array, n_layers: int = 8) -> Flow:
    return gauge_flow(key, LINKS, NCP(), n_layers=n_layers, hidden=[4])


def test_the_identity_is_perfect_at_beta_zero(key: Array) -> None:
    measured = quality(
        Chain(()),
        Wilson(LINKS, 0.0),
        key,
        samples=64,
        batch=64,
        log_partition=exact_u1.log_partition_function(0.0, 16),
    )
    assert measured.ess == pytest.approx(1.0, abs=1e-12)
    assert measured.kl == pytest.approx(0.0, abs=1e-9)
    assert measured.samples == 64
    assert measured.kl_error == pytest.approx(0.0, abs=1e-12)
    assert measured.ess_error == pytest.approx(0.0, abs=1e-12)


def test_the_identity_has_the_exact_divergence(key: Array) -> None:
    """D_KL(uniform || p) = log Z - 2 V log 2 pi. The loss of one draw has the standard deviation
    sqrt(V / 2) = 2.8: 4 standard errors of 4096 draws (false alarm 6e-5)."""
    measured = quality(Chain(()), THEORY, key, samples=4096, log_partition=LOG_Z)
    exact = LOG_Z - 32 * np.log(2 * np.pi)
    assert measured.kl == pytest.approx(exact, abs=4 * np.sqrt(8 / 4096))
    assert measured.kl_error == pytest.approx(np.sqrt(8 / 4096), rel=0.1)
    assert measured.charge_squared is not None
    assert measured.charge_squared_error == pytest.approx(0.03, rel=0.5)
    assert measured.charge_squared == pytest.approx(exact_u1.charge_squared(0.0, 16), rel=0.15)


@pytest.mark.parametrize("width", [0.1, 0.5, 0.8])
def test_the_error_of_the_ess_covers(width: float, key: Array) -> None:
    """Log-normal weights: ESS exp(-width^2). 400 times 4096 draws; the width of z-scores is known
    to 3.5 %, and within 0.85 and 1.4 (false alarm 2e-5: delta method and skewness make it 1.2 at
    0.8)."""
    log_w = width * np.asarray(jax.random.normal(key, (400, 4096)))
    measured = [effective_sample_size(row) for row in log_w]
    z = [(ess.fraction - np.exp(-(width**2))) / ess.error for ess in measured]
    assert 0.85 < np.sqrt(np.mean(np.square(z))) < 1.4
    assert np.mean([ess.bound for ess in measured]) < 0.05


def test_an_ess_that_few_weights_decide_is_a_bound(key: Array) -> None:
    """Log-normal weights of width 2, whose ESS of 0.018 is estimated too large on average."""
    log_w = 2 * np.asarray(jax.random.normal(key, (200, 4096)))
    measured = [effective_sample_size(row) for row in log_w]
    assert np.mean([ess.fraction for ess in measured]) > 1.5 * np.exp(-4)
    assert np.mean([ess.bound for ess in measured]) > 0.98
    one = effective_sample_size(np.asarray([0.0, *[-50.0] * 4095]))
    assert one.bound
    assert one.fraction == pytest.approx(1 / 4096)
    assert effective_sample_size(np.zeros(1)) == (1.0, np.inf, True)


def test_training_reduces_the_divergence_towards_zero(key: Array) -> None:
    """From 3.8 to less than a third; a divergence is never negative (within 4 errors)."""
    flow_key, train_key, quality_key = jax.random.split(key, 3)
    optimise = optimiser(1e-2, 150, warmup=10)
    state = start_training(small_flow(flow_key), optimise)
    objective = ReverseKL(THEORY, 64, BetaSchedule(1.0, 150, "none"))
    before = quality(state.model, THEORY, quality_key, samples=1024, log_partition=LOG_Z)
    for state, _ in train(objective, optimise, state, train_key, 150, 50):  # noqa: B007
        pass
    after = quality(state.model, THEORY, quality_key, samples=1024, log_partition=LOG_Z)
    assert before.kl is not None
    assert after.kl is not None
    assert -0.05 < after.kl < before.kl / 3
    assert after.ess > 2 * before.ess


def test_chunks_do_not_change_the_result(key: Array) -> None:
    flow_key, train_key = jax.random.split(key)
    optimise = optimiser(1e-2, 6)
    objective = ReverseKL(THEORY, 8, BetaSchedule(1.0, 6))
    start = start_training(small_flow(flow_key, 2), optimise)
    (whole, metrics), *_ = train(objective, optimise, start, train_key, 6, 6)
    parts = list(train(objective, optimise, start, train_key, 6, 4))
    assert [int(state.step) for state, _ in parts] == [4, 6]
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(parts[-1][0]), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(metrics.loss, np.concatenate([m.loss for _, m in parts]))


def test_a_batch_grows_at_its_steps_whatever_the_chunks(key: Array) -> None:
    steps, full = 10, ReverseKL(THEORY, 12, BetaSchedule(1.0, 10))
    growing = GrowingBatch(full, 2, steps)
    assert [growing.at(step)[0].batch for step in range(steps)] == [3] * 4 + [6] * 3 + [12] * 3
    assert [growing.at(step)[1] for step in (0, 4, 9)] == [4, 7, 10]
    flow_key, train_key = jax.random.split(key)
    optimise = optimiser(1e-2, steps)
    start = start_training(small_flow(flow_key, 2), optimise)
    whole = list(train(growing, optimise, start, train_key, steps, 100))
    parts = list(train(growing, optimise, start, train_key, steps, 2))
    assert [int(state.step) for state, _ in whole] == [4, 7, 10]
    assert [int(state.step) for state, _ in parts] == [2, 4, 6, 7, 9, 10]
    for a, b in zip(jax.tree.leaves(whole[-1][0]), jax.tree.leaves(parts[-1][0]), strict=True):
        np.testing.assert_array_equal(a, b)
    small = next(train(growing.at(0)[0], optimise, start, train_key, 4, 4))[1]
    np.testing.assert_array_equal(whole[0][1].loss, small.loss)


class Explodes(eqx.Module):
    """A loss that is not finite at one step, or only its gradient is not."""

    at: int
    gradient_only: bool

    def __call__(self, model: Array, key: Array, step: Array) -> Array:
        bad = step == self.at
        if self.gradient_only:
            return jnp.sum(jnp.sqrt(jnp.where(bad, 0.0, 1.0) * model**2))
        return jnp.sum(model**2) + jnp.where(bad, jnp.nan, 0.0)


@pytest.mark.parametrize("gradient_only", [False, True])
def test_divergence_names_the_step_and_what_to_try(gradient_only: bool, key: Array) -> None:
    optimise = optimiser(1e-3, 20)
    state = start_training(jnp.ones(3), optimise)
    steps = train(Explodes(7, gradient_only), optimise, state, key, 20, 5)
    assert int(next(steps)[0].step) == 5
    with pytest.raises(TrainingDivergedError, match=r"at step 7: .*try .*learning_rate"):
        next(steps)


def test_gradients_are_clipped() -> None:
    """Seen in the first moment of Adam, whose updates hide a constant factor."""
    gradient = {"a": jnp.array([3.0, 4.0])}
    clipped = optimiser(1.0, 10, clip=1.0, schedule="constant", warmup=0)
    free = optimiser(1.0, 10, clip=100.0, schedule="constant", warmup=0)

    def first_moment(optimise: optax.GradientTransformation) -> float:
        _, state = optimise.update(gradient, optimise.init(gradient), gradient)
        return float(optax.tree.norm(optax.tree.get(state, "mu")))

    assert first_moment(free) == pytest.approx(0.5)
    assert first_moment(clipped) == pytest.approx(0.1)


def wandered(steps: int, given: Sequence[str], key: Array) -> float:
    """How far from 0 the norm of 100 parameters is moved by gradients that are noise alone."""
    settings = composed("sampler=flow", "flow=ncp", f"training.steps={steps}", *given)
    optimise = descent_of(build_trainee(settings)).in_jax
    state = start_training(jnp.zeros(100), optimise)
    ((state, _),) = train(Noise(), optimise, state, key, steps, steps)
    return float(jnp.linalg.norm(state.model))


class Noise(eqx.Module):
    """A loss without a mean gradient."""

    def __call__(self, model: Array, key: Array, step: Array) -> Array:
        return jnp.vdot(jax.random.normal(key, model.shape), model)


def test_noise_moves_parameters_as_far_in_long_trainings_as_in_short_ones(key: Array) -> None:
    """Without a rate of the user. At a rate that is given, four times as long is twice as far."""
    short = wandered(2000, (), key)
    assert wandered(8000, (), key) == pytest.approx(short, rel=0.3)
    fast = wandered(8000, ("training.learning_rate=3e-3",), key)
    assert fast == pytest.approx(2 * short, rel=0.3)


def rate(rates: optax.Schedule, step: int) -> float:
    return float(jnp.asarray(rates(step)))


@pytest.mark.parametrize("schedule", ["constant", "cosine", "plateau"])
def test_learning_rates_warm_up(schedule: str) -> None:
    rates = learning_rates(0.1, 1000, schedule, 100)  # pyright: ignore[reportArgumentType]
    assert rate(rates, 0) == pytest.approx(0.001)
    assert rate(rates, 50) == pytest.approx(0.0505)
    assert rate(rates, 100) == pytest.approx(0.1)
    last = {"constant": 0.1, "cosine": 0.001, "plateau": 0.1}[schedule]
    middle = {"constant": 0.1, "cosine": 0.0505, "plateau": 0.1}[schedule]
    assert rate(rates, 550) == pytest.approx(middle)
    assert rate(rates, 1000) == pytest.approx(last)


class Falls(eqx.Module):
    """A loss that falls by one a step until it stands still, with a gradient that never changes."""

    until: int

    def __call__(self, model: Array, key: Array, step: Array) -> Array:
        return model - jax.lax.stop_gradient(model) - jnp.minimum(step, self.until) + 7.0


def plateau_training(until: int, chunks: tuple[int, ...], **plateau: int) -> tuple:
    """The state after these chunks of a training on a loss that falls until then."""
    schedule = Plateau(0.5, window=2, patience=3, **plateau)
    optimise = optimiser(1.0, 40, schedule="plateau", warmup=0, plateau=schedule)
    state, models = start_training(jnp.asarray(0.0), optimise), []
    for end in np.cumsum(chunks):
        for state, _ in train(Falls(until), optimise, state, jax.random.key(0), int(end), 1):
            models.append(float(state.model))
    return state, -np.diff(models)


def test_the_rate_falls_on_plateaus() -> None:
    """By half, after each 3 windows of 2 steps without a smaller mean; Adam's updates of a constant
    gradient are the learning rate."""
    state, steps = plateau_training(10, (30,))
    # The window of steps 10 and 11 is the last with a smaller mean; plateaus end at 17, 23 and 29.
    assert plateau_scale(state.optimiser) == 0.125
    np.testing.assert_allclose(steps[:16], 1, rtol=1e-5)
    np.testing.assert_allclose(steps[16:22], 0.5, rtol=1e-5)
    np.testing.assert_allclose(steps[22:28], 0.25, rtol=1e-5)
    assert plateau_scale(plateau_training(40, (30,))[0].optimiser) == 1


def test_no_plateau_counts_before_its_start() -> None:
    assert plateau_scale(plateau_training(0, (20,), start=20)[0].optimiser) == 1
    assert plateau_scale(plateau_training(0, (20,))[0].optimiser) < 1
    assert BetaSchedule(4.0, 100, "linear", fraction=0.25).settled == 25
    assert BetaSchedule(4.0, 100, "none").settled == 0


def test_plateaus_are_part_of_the_state() -> None:
    """A training that is stopped within a window and goes on from its state is the same."""
    whole, parts = (plateau_training(5, chunks)[0] for chunks in ((21,), (9, 4, 8)))
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_rate_ends_at_a_hundredth() -> None:
    assert plateau_scale(plateau_training(0, (80,))[0].optimiser) == pytest.approx(0.01)


@pytest.mark.parametrize("steps", [1, 2, 50])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_learning_rates_of_short_trainings_are_positive(schedule: str, steps: int) -> None:
    rates = learning_rates(0.1, steps, schedule, 100)  # pyright: ignore[reportArgumentType]
    values = [rate(rates, i) for i in range(steps)]
    assert all(0 < value <= 0.1001 for value in values)


def test_beta_without_annealing_is_constant() -> None:
    beta = BetaSchedule(4.0, 100, "none")
    assert [float(beta(jnp.asarray(i))) for i in (0, 10, 99)] == [4.0, 4.0, 4.0]


def test_beta_rises_linearly_and_stays() -> None:
    beta = BetaSchedule(4.0, 100, "linear", start=0.25, fraction=0.5)
    values = [float(beta(jnp.asarray(i))) for i in (0, 25, 50, 99)]
    assert values == pytest.approx([1.0, 2.5, 4.0, 4.0])


def test_beta_rises_in_equal_eras() -> None:
    beta = BetaSchedule(4.0, 100, "eras", start=0.25, fraction=0.4, eras=4)
    values = np.array([float(beta(jnp.asarray(i))) for i in range(100)])
    levels, first = np.unique(np.round(values, 9), return_index=True)
    np.testing.assert_allclose(levels, [1.0, 2.0, 3.0, 4.0])
    assert first.tolist() == [0, 10, 20, 30]
    assert np.all(np.diff(values) >= 0)


def test_the_objective_follows_the_schedule(key: Array) -> None:
    """At step 0 of a schedule that starts at 0, the loss of the identity is its entropy's."""
    objective = ReverseKL(THEORY, 16, BetaSchedule(1.0, 10, "linear", start=0.0, fraction=1.0))
    losses = [float(objective(Chain(()), key, jnp.asarray(i))) for i in (0, 5, 10)]
    assert losses[0] == pytest.approx(-32 * np.log(2 * np.pi))
    assert losses[1] == pytest.approx((losses[0] + losses[2]) / 2)
    assert losses[2] != pytest.approx(losses[0])
