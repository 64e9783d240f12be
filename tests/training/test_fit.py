"""Training in one call: flows and leapfrogs on any theory, and what cannot be trained."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from gaugemc.chains import sample
from gaugemc.flows import NCP, Affine, gauge_flow, multiscale_flow, vector_flow
from gaugemc.groups import SUN, U1
from gaugemc.samplers import L2HMC, trainable_leapfrog
from gaugemc.spaces import Euclidean, Links, total
from gaugemc.theories import Ring, Theory, Wilson, strongly_correlated_gaussian
from gaugemc.training import (
    BetaSchedule,
    ChargeJump,
    DistanceJump,
    PlaquetteJump,
    ReverseKL,
    TrainingWarning,
    fit,
    quality,
    usual_jumps,
)

pytestmark = pytest.mark.usefixtures("quick_compilation")

WILSON = Wilson(Links(U1(), (4, 4)), 2.0)
CUBE = Wilson(Links(U1(), (2, 2, 2)), 1.0)


class Wells(Theory):
    """A theory of a user's own, without a beta: anharmonic, with coupled components."""

    space: Euclidean

    @property
    def name(self) -> str:
        return "wells"

    def action(self, x: Array) -> Array:
        return total((x**2 - 1) ** 2) + total((x - jnp.roll(x, 1)) ** 2) / 2

    def observables(self, x: Array) -> dict[str, Array]:
        return {"square": jnp.mean(x**2)}


@pytest.mark.parametrize(
    ("theory", "line", "ess"),
    [
        (Ring(), None, 0.5),
        (Wells(Euclidean((3,))), None, 0.5),
        (Wells(Euclidean((2,))), Affine(), 0.1),
    ],
    ids=["ring, spline", "wells, spline", "wells, affine"],
)
def test_a_flow_learns_a_density_of_vectors(
    theory: Theory, line: Affine | None, ess: float, key: Array
) -> None:
    """The effective sample size, from fresh draws, five of its errors above what is stated."""
    flow_key, fit_key, quality_key = jax.random.split(key, 3)
    options = () if line is None else (line,)
    start = vector_flow(flow_key, theory.space, *options, n_layers=4, width=16)
    flow, metrics = fit(start, theory, fit_key, steps=300, batch=128, learning_rate=1e-2, chunk=150)
    before, after = (quality(f, theory, quality_key, samples=4096) for f in (start, flow))
    assert after.ess - 5 * after.ess_error > max(ess, before.ess)
    assert after.loss < before.loss
    assert metrics.loss.shape == metrics.gradient_norm.shape == (300,)


def test_a_theory_is_annealed_to_itself(key: Array) -> None:
    """The first loss is that of a fifth of the action, the last that of all of it."""
    theory, steps = Wells(Euclidean((2,))), 12
    flow = vector_flow(key, theory.space, Affine(), n_layers=2, width=4)
    annealed, plain = (
        fit(flow, theory, key, steps=steps, batch=32, learning_rate=1e-9, annealing=a).metrics.loss
        for a in ("linear", "none")
    )
    np.testing.assert_allclose(annealed[steps // 2 :], plain[steps // 2 :], rtol=1e-6)
    nothing = ReverseKL(theory.at(0.0), 32, BetaSchedule(0.0, steps, "none"))
    entropy = float(nothing(flow, jax.random.fold_in(key, 0), jnp.asarray(0)))  # the same draws
    assert (annealed[0] - entropy) / (plain[0] - entropy) == pytest.approx(0.2, rel=1e-6)


def test_a_leapfrog_learns_long_jumps(key: Array) -> None:
    """The mean squared change per draw of the slow direction grows threefold in 200 steps."""
    theory = strongly_correlated_gaussian()
    start = trainable_leapfrog(key, theory.space, n_layers=3, step_size=0.15, hidden=(8,))
    leapfrog, metrics = fit(start, theory, key, steps=200, learning_rate=1e-2, chunk=100)
    assert metrics.loss.shape == (200,)
    jumps = []
    for model in (start, leapfrog):
        draws = sample(L2HMC(theory, model), key, chains=32, draws=100, warmup=50).draws
        jumps.append(np.mean(np.diff(draws.observables["widest"], axis=1) ** 2))
    assert jumps[1] > 3 * jumps[0]


@pytest.mark.parametrize(
    "theory",
    [WILSON, pytest.param(CUBE, marks=pytest.mark.slow)],
    ids=["charged", "3D"],
)
def test_a_leapfrog_of_links_is_trained_on_what_they_have(theory: Theory, key: Array) -> None:
    leapfrog = trainable_leapfrog(key, theory.space, n_layers=1, hidden=(4,))
    trained, metrics = fit(leapfrog, theory, key, steps=2, batch=4)
    assert np.isfinite(metrics.loss).all()
    assert np.all(metrics.gradient_norm > 0)
    assert not eqx.tree_equal(trained.log_step_sizes, leapfrog.log_step_sizes)


def test_the_usual_jumps_suit_the_space() -> None:
    for theory, kinds in (
        (WILSON, [ChargeJump, PlaquetteJump]),
        (CUBE, [PlaquetteJump]),
        (Ring(), [DistanceJump]),
    ):
        assert [type(jump) for jump in usual_jumps(theory)] == kinds


FLOW = gauge_flow(jax.random.key(0), WILSON.space, NCP(), n_layers=2, hidden=[4])
LEAPFROG = trainable_leapfrog(jax.random.key(0), Ring().space, n_layers=1, hidden=(4,))


@pytest.mark.parametrize(
    ("model", "theory", "options", "message"),
    [
        ({"w": 1.0}, WILSON, {}, "not dict"),
        (L2HMC(Ring(), LEAPFROG), Ring(), {}, "the leapfrog of an L2HMC sampler, not L2HMC"),
        (FLOW, Wilson(Links(U1(), (6, 6)), 2.0), {}, r"on 4x4, not for .* on 6x6: take flow\.on"),
        (FLOW, Wilson(Links(SUN(2), (4, 4)), 2.0), {}, r"not for 2D SU\(2\)"),
        (FLOW, Ring(), {}, r"not for fields of shape \[2\]"),
        (multiscale_flow(WILSON.space), Wilson(Links(U1(), (8, 8)), 2.0), {}, r"flow\.on"),
        (
            vector_flow(jax.random.key(0), Euclidean((3,))),
            Ring(),
            {},
            r"of shape \[3\], not",
        ),
        (LEAPFROG, strongly_correlated_gaussian(), {"jumps": ()}, "at least one kind"),
        (LEAPFROG, WILSON, {}, "masks of shape"),
        (FLOW, WILSON, {"jumps": (ChargeJump(),)}, "for a leapfrog"),
        (FLOW, WILSON, {"learning_rate": -1.0}, "learning_rate -1"),
        (FLOW, WILSON, {"steps": 0}, "steps 0"),
        (FLOW, WILSON, {"batch": 0}, "batch 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_cannot_be_trained_is_refused_in_one_line(
    model: Any, theory: Theory, options: dict[str, Any], message: str, key: Array
) -> None:
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        fit(model, theory, key, **options)
    assert "\n" not in str(caught.value)


def test_noise_is_said(key: Array) -> None:
    """A learning rate far too large: the flow is driven to where gradients are enormous."""
    theory = Wells(Euclidean((2,)))
    flow = vector_flow(key, theory.space, Affine(), n_layers=8, width=8)
    with pytest.warns(
        TrainingWarning, match=r"gradients are noise from step \d+ on.*try a smaller"
    ):
        fit(flow, theory, key, steps=200, batch=16, learning_rate=1.0, annealing="none")
