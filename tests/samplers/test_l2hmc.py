"""L2HMC: exact inverses, log-dets, HMC without networks, and ensembles with large networks."""

import itertools
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.chains import sample
from gaugemc.exact import u1 as exact_u1
from gaugemc.groups import U1
from gaugemc.io import CheckpointError, load_checkpoint, save_checkpoint
from gaugemc.kernels import wrap
from gaugemc.lattice import gauge_transform, plane_plaquettes
from gaugemc.samplers import HMC, L2HMC, GeneralisedLeapfrog, on_lattice, trainable_leapfrog
from gaugemc.samplers.hmc.integrator import PhasePoint
from gaugemc.samplers.l2hmc.flux_series import FluxSeries
from gaugemc.samplers.l2hmc.l2hmc import flip
from gaugemc.samplers.l2hmc.loop_networks import link_derivative
from gaugemc.samplers.l2hmc.network import MomentumNetwork
from gaugemc.samplers.l2hmc.updates import Outputs
from gaugemc.spaces import Links
from gaugemc.theories import Gaussian, Improved, Theory, Wilson, strongly_correlated_gaussian

GAUSSIAN = Gaussian(jnp.array([1.0, -2.0, 0.5, 0.0]), jnp.diag(jnp.array([2.0, 0.5, 1.0, 3.0])))
WILSON = Wilson(Links(U1(), (4, 2)), 2.0)
CASES = list(
    itertools.product(
        [
            (GAUSSIAN, "dense"),
            (WILSON, "dense"),
            (GAUSSIAN, "conv"),
            (WILSON, "conv"),
            (WILSON, "gauge"),
        ],
        [(True, 2), (False, 1), (True, 1), (False, 2)],
    )
)
FAST = [
    ((GAUSSIAN, "dense"), (False, 1)),
    ((GAUSSIAN, "conv"), (True, 2)),
    ((WILSON, "dense"), (True, 2)),
    ((WILSON, "gauge"), (False, 1)),
]


pytestmark = pytest.mark.usefixtures("quick_compilation")


def case_name(case: tuple) -> str:
    (theory, network), (separate, x_networks) = case
    return f"{theory.name} {network} {'separate' if separate else 'shared'} {x_networks}"


def disturbed(leapfrog: GeneralisedLeapfrog, key: jax.Array, size: float) -> GeneralisedLeapfrog:
    """Noise on all parameters, so that outputs of the networks are of order `size`."""
    random = np.random.default_rng(np.asarray(jax.random.key_data(key)))

    def noise(leaf: object) -> object:
        if not isinstance(leaf, jax.Array) or leaf.dtype == bool:
            return leaf
        fan_in = leaf.shape[-1] if leaf.ndim > 1 else 1
        normal = random.standard_normal(leaf.shape).astype(leaf.dtype)
        return jnp.asarray(np.asarray(leaf) + size / float(np.sqrt(fan_in)) * normal)

    noisy = jax.tree.map(noise, leapfrog)
    return eqx.tree_at(lambda g: g.log_step_sizes, noisy, leapfrog.log_step_sizes)


@eqx.filter_jit
def phase(theory: Theory, key: jax.Array) -> PhasePoint:
    keys = jax.random.split(key)
    x = theory.space.random(keys[0])
    return PhasePoint(x, theory.space.random_momentum(keys[1]), theory.force(x))


@eqx.filter_jit
def there_and_back(
    leapfrog: GeneralisedLeapfrog, theory: Theory, start: PhasePoint
) -> tuple[PhasePoint, jax.Array, PhasePoint, jax.Array, jax.Array]:
    """The end, its log-det, the way back with its log-det, and the Jacobian matrix."""

    def end_of(flat: jax.Array) -> tuple[jax.Array, tuple[PhasePoint, jax.Array]]:
        x, v = flat.reshape(2, *start.x.shape)
        end, log_det = leapfrog.forward(theory, PhasePoint(x, v, leapfrog.force(theory, x)))
        return jnp.stack([end.x, end.v]).reshape(-1), (end, log_det)

    flat = jnp.stack([start.x, start.v]).reshape(-1)
    jacobian, (end, log_det) = jax.jacfwd(end_of, has_aux=True)(flat)
    home, log_det_back = leapfrog.backward(theory, end)
    return end, log_det, home, log_det_back, jacobian


def distance(theory: Theory, a: jax.Array, b: jax.Array) -> float:
    difference = wrap(a - b) if isinstance(theory.space, Links) else a - b
    return float(jnp.abs(difference).max())


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, marks=() if c in FAST else pytest.mark.slow, id=case_name(c)) for c in CASES],
)
def test_backward_is_the_inverse_of_forward(case: tuple, key: jax.Array) -> None:
    """Large outputs of all networks, in float64; log-dets against autodiff."""
    (theory, network), (separate, x_networks) = case
    keys = jax.random.split(key, 3)
    leapfrog = trainable_leapfrog(
        keys[0],
        theory.space,
        n_layers=2,
        step_size=0.25,
        network=network,
        hidden=(6,),
        separate=separate,
        x_networks=x_networks,
    )
    start = phase(theory, keys[2])
    loud = disturbed(leapfrog, keys[1], 2.0)
    end, log_det, home, log_det_back, jacobian = there_and_back(loud, theory, start)
    assert distance(theory, end.x, start.x) > 0.3
    assert distance(theory, home.x, start.x) < 1e-12
    np.testing.assert_allclose(home.v, start.v, rtol=0, atol=1e-12)
    np.testing.assert_allclose(home.force, start.force, rtol=0, atol=1e-11)
    assert abs(float(log_det)) > 0.05
    np.testing.assert_allclose(log_det_back, -log_det, rtol=0, atol=1e-11)
    np.testing.assert_allclose(jnp.linalg.slogdet(jacobian)[1], log_det, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("network", "size"), [("force", 6.0), ("series", 2.0)])
def test_trained_forces_preserve_volume_and_commute_with_gauge_transformations(
    network: str, size: float, key: jax.Array
) -> None:
    """Large forces: the exact inverse, a Jacobian determinant of one, and no gauge dependence."""
    keys = jax.random.split(key, 3)
    leapfrog = trainable_leapfrog(keys[0], WILSON.space, n_layers=2, step_size=0.3, network=network)
    loud = disturbed(leapfrog, keys[1], size)
    start = phase(WILSON, keys[2])
    start = start._replace(force=loud.force(WILSON, start.x))
    end, log_det, home, _, jacobian = there_and_back(loud, WILSON, start)
    plain = eqx.filter_jit(leapfrog.forward)(WILSON, start)[0]
    assert distance(WILSON, end.x, plain.x) > 0.3
    assert distance(WILSON, home.x, start.x) < 1e-12
    np.testing.assert_allclose(home.v, start.v, rtol=0, atol=1e-12)
    assert float(log_det) == 0
    assert abs(float(jnp.linalg.slogdet(jacobian)[1])) < 1e-10
    omega = U1().random(keys[0], WILSON.space.lattice, jnp.float64)
    turned = start._replace(x=gauge_transform(U1(), start.x, omega))
    end_turned = eqx.filter_jit(loud.forward)(WILSON, turned)[0]
    assert distance(WILSON, end_turned.x, gauge_transform(U1(), end.x, omega)) < 1e-12
    np.testing.assert_allclose(end_turned.v, end.v, atol=1e-12)


def test_the_derivative_of_a_sum_over_plaquettes_is_that_of_the_action(key: jax.Array) -> None:
    x = WILSON.space.random(key)
    slope = WILSON.beta * jnp.sin(plane_plaquettes(U1(), x, 0, 1))
    np.testing.assert_allclose(link_derivative(slope), WILSON.force(x), rtol=0, atol=1e-13)


def test_the_force_of_a_series_is_the_gradient_of_its_action(key: jax.Array) -> None:
    """On plaquettes of an improved action too, whose coupling of plaquettes is not beta."""
    theory = Improved(Links(U1(), (4, 6)), 2.0, c1=-0.3)
    random = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    weights, u = jnp.asarray(random.standard_normal(5)), 0.7

    def action(x: jax.Array) -> jax.Array:
        p = plane_plaquettes(U1(), x, 0, 1)
        wound = sum(w * jnp.sum(1 - jnp.cos(k * p)) / k for k, w in enumerate(weights, 1))
        pairs = sum(jnp.sum(jnp.sin(p) * jnp.sin(jnp.roll(p, 1, axis))) for axis in (0, 1))
        return theory.action(x) + theory.loop_couplings[0] * (wound + u * pairs)

    x = theory.space.random(key)
    series = FluxSeries(weights, jnp.asarray(u))
    np.testing.assert_allclose(series.force(theory, x), jax.grad(action)(x), rtol=0, atol=1e-11)
    with pytest.raises(ValueError, match="need an action of loops alone"):
        series.coupling(GAUSSIAN)


@pytest.mark.parametrize("passes", [(False, True), (True,), (False, True, False)])
def test_a_series_in_c_and_in_jax(passes: tuple[bool, ...], key: jax.Array) -> None:
    """Chains, each with layers of its own; and derivatives by what is trained."""
    links = WILSON.space
    without = Links(links.group.without_kernels(), links.lattice, links.real)
    plain = eqx.tree_at(lambda t: t.space, WILSON, without)
    leapfrog = trainable_leapfrog(key, links, n_layers=3, step_size=0.2, network="series")
    loud = disturbed(leapfrog, key, 0.5)
    starts = jax.vmap(lambda key: phase(WILSON, key))(jax.random.split(key, 5))

    @eqx.filter_jit
    def ends(theory: Wilson, passes: tuple[jax.Array, ...]) -> PhasePoint:
        def end(start: PhasePoint) -> PhasePoint:
            start = start._replace(force=loud.force(theory, start.x))
            return loud.traverse(theory, start, passes)[0]

        return jax.vmap(end)(starts)

    compiled, theirs = (ends(t, tuple(jnp.asarray(p) for p in passes)) for t in (WILSON, plain))
    for a, b in zip(compiled, theirs):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-11)
    hmc = eqx.filter_jit(leapfrog.traverse)(WILSON, phase(WILSON, key), passes)[0]
    moved = eqx.filter_jit(loud.traverse)(WILSON, phase(WILSON, key), passes)[0]
    assert distance(WILSON, hmc.x, moved.x) > 0.1

    @eqx.filter_jit
    @eqx.filter_grad
    def gradient(leapfrog: GeneralisedLeapfrog, theory: Wilson) -> jax.Array:
        start = jax.tree.map(lambda a: a[0], starts)
        return jnp.sum(jnp.sin(leapfrog.traverse(theory, start, passes)[0].x))

    for a, b in zip(*(jax.tree.leaves(gradient(loud, t)) for t in (WILSON, plain))):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("network", ["series", "force"])
def test_forces_of_plaquettes_are_for_links(network: str) -> None:
    with pytest.raises(ValueError, match=r"for (two-dimensional U|links only)"):
        trainable_leapfrog(jax.random.key(0), GAUSSIAN.space, network=network)


@pytest.mark.parametrize("direction", ["palindrome", "random"])
@pytest.mark.parametrize(
    "theory", [GAUSSIAN, pytest.param(WILSON, marks=pytest.mark.slow)], ids=lambda t: t.name
)
def test_proposals_undo_themselves(theory: Theory, direction: str, key: jax.Array) -> None:
    """A palindrome twice, or the two sides of a coin with a flip between them."""
    leapfrog = trainable_leapfrog(key, theory.space, n_layers=2, step_size=0.2, hidden=(4,))
    sampler = L2HMC(theory, disturbed(leapfrog, key, 1.0), direction)
    start = phase(theory, key)
    trajectory = eqx.filter_jit(sampler.trajectory)
    end, log_det = trajectory(start, jnp.asarray(True))
    turned = end if direction == "palindrome" else flip(end)
    home, log_det_back = trajectory(turned, jnp.asarray(False))
    assert distance(theory, end.x, start.x) > 0.1
    assert distance(theory, home.x, start.x) < 1e-12
    np.testing.assert_allclose(home.v, start.v, rtol=0, atol=1e-12)
    np.testing.assert_allclose(log_det_back, -log_det, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    ("theory", "network", "direction"),
    [
        pytest.param(GAUSSIAN, "dense", "random", marks=pytest.mark.slow, id="Gaussian random"),
        pytest.param(GAUSSIAN, "dense", "palindrome", marks=pytest.mark.slow, id="Gaussian"),
        pytest.param(WILSON, "dense", "palindrome", id="U(1)"),
        pytest.param(WILSON, "conv", "random", marks=pytest.mark.slow, id="U(1) conv random"),
        pytest.param(WILSON, "gauge", "palindrome", marks=pytest.mark.slow, id="U(1) gauge"),
        pytest.param(WILSON, "gauge", "random", marks=pytest.mark.slow, id="U(1) gauge random"),
        pytest.param(WILSON, "force", "palindrome", id="U(1) force"),
        pytest.param(WILSON, "series", "palindrome", id="U(1) series"),
    ],
)
def test_untrained_it_is_hmc(theory: Theory, network: str, direction: str, key: jax.Array) -> None:
    """The same chains from the same key and states: momenta, proposals, decisions."""
    layers = 3 if direction == "palindrome" else 6
    leapfrog = trainable_leapfrog(
        key, theory.space, n_layers=layers, step_size=0.4, network=network, hidden=(4,)
    )
    hmc, trained = HMC(theory, 0.4, 6), L2HMC(theory, leapfrog, direction)
    states = jax.vmap(hmc.state)(jax.vmap(theory.space.random)(jax.random.split(key, 8)))
    a, b = (sample(s, key, draws=3, warmup=0, states=states) for s in (hmc, trained))
    for field in ("delta_h", "acceptance"):
        expected = getattr(a.draws.info, field)
        np.testing.assert_allclose(getattr(b.draws.info, field), expected, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(b.draws.info.accepted, a.draws.info.accepted)
    np.testing.assert_array_equal(b.draws.info.force_evaluations, 6)
    assert 0.1 < b.draws.info.acceptance.mean() < 0.999
    assert distance(theory, a.states.x, b.states.x) < 1e-11


def run(sampler: L2HMC, key: jax.Array, chains: int, draws: int, warmup: int):
    return sample(sampler, key, chains=chains, draws=draws, warmup=warmup).draws


@pytest.mark.parametrize(
    ("network", "direction", "noise"),
    [
        pytest.param("dense", "palindrome", 0.7, marks=pytest.mark.slow),
        pytest.param("dense", "random", 0.7, marks=pytest.mark.slow),
        pytest.param("gauge", "palindrome", 0.4, marks=pytest.mark.slow),
        pytest.param("force", "random", 0.7, marks=pytest.mark.slow),
    ],
)
def test_plaquette_of_a_small_lattice_with_large_networks(
    network: str, direction: str, noise: float, key: jax.Array
) -> None:
    """Within 4.5 standard errors from 512 independent chains: false alarm 1e-5 each.

    The error is less than 0.6 % of the plaquette. How much a wrong inverse shows depends on
    the networks; the test of inverses sees it always.
    """
    theory = Wilson(Links(U1(), (2, 2)), 1.0)
    keys = jax.random.split(key, 3)
    leapfrog = trainable_leapfrog(
        keys[0], theory.space, n_layers=1, step_size=0.4, network=network, hidden=(4,)
    )
    sampler = L2HMC(theory, disturbed(leapfrog, keys[1], noise), direction)
    draws = run(sampler, keys[2], 512, 1000, 60)
    assert 0.1 < draws.info.acceptance.mean() < 0.95
    chains = draws.observables["plaquette"].mean(axis=1)
    error = chains.std(ddof=1) / np.sqrt(len(chains))
    exact = exact_u1.plaquette(1.0, 4)
    assert error < 0.006 * exact
    assert abs(chains.mean() - exact) < 4.5 * error


@pytest.mark.parametrize(
    ("direction", "noise"),
    [
        ("random", 0.2),
        pytest.param("palindrome", 0.2, marks=pytest.mark.slow),
        pytest.param("random", 0.7, marks=pytest.mark.slow),
        pytest.param("palindrome", 0.5, marks=pytest.mark.slow),
    ],
)
def test_gaussian_moments_with_large_networks(direction: str, noise: float, key: jax.Array) -> None:
    """Six averages within 4.5 standard errors of 256 chains: false alarm 6e-5.

    The Gaussian is correlated: variances 2.4 and 0.1. Chains start from exact draws: networks that
    are loud enough leave points where nothing is accepted for thousands of draws, and chains of any
    length remember a start there. In equilibrium the acceptance is twice the
    probability of a negative delta_h. So is <exp(-delta_h)> = 1, but with loud networks rare draws
    of size thousands make up that average, and its error is no longer known.
    """
    theory = Gaussian(jnp.array([0.5, -0.5]), jnp.array([[1.25, -1.15], [-1.15, 1.25]]))
    keys = jax.random.split(key, 4)
    leapfrog = trainable_leapfrog(
        keys[0], theory.space, n_layers=2, step_size=0.3, hidden=(8,), separate=False
    )
    sampler = L2HMC(theory, disturbed(leapfrog, keys[1], noise), direction)
    start = jax.random.multivariate_normal(keys[3], theory.mean, theory.covariance, (256,))
    states = jax.vmap(sampler.state)(start)
    draws = sample(sampler, keys[2], draws=500, warmup=0, states=states).draws
    delta_h, acceptance = draws.info.delta_h, draws.info.acceptance
    assert (0.5 if noise < 0.5 else 0.1) < acceptance.mean() < 0.95
    averages = {
        name: (draws.observables[name], exact) for name, exact in theory.exact_observables().items()
    }
    averages["acceptance"] = (np.asarray(acceptance - 2 * (delta_h < 0)), 0.0)
    if noise < 0.5:
        averages["exp(-delta_h)"] = (np.exp(-delta_h), 1.0)
    for name, (values, exact) in averages.items():
        chains = values.mean(axis=1)
        error = chains.std(ddof=1) / np.sqrt(len(chains))
        assert abs(chains.mean() - exact) < 4.5 * error, name


def test_gauge_networks_commute_with_gauge_transformations(key: jax.Array) -> None:
    keys = jax.random.split(key, 4)
    leapfrog = trainable_leapfrog(keys[0], WILSON.space, network="gauge", hidden=(4,), n_layers=2)
    loud = disturbed(leapfrog, keys[1], 1.0)
    start = phase(WILSON, keys[2])
    omega = U1().random(keys[3], WILSON.space.lattice, jnp.float64)
    end, log_det = eqx.filter_jit(loud.forward)(WILSON, start)
    turned = start._replace(x=gauge_transform(U1(), start.x, omega))
    end_turned, log_det_turned = eqx.filter_jit(loud.forward)(WILSON, turned)
    assert distance(WILSON, end_turned.x, gauge_transform(U1(), end.x, omega)) < 1e-12
    np.testing.assert_allclose(end_turned.v, end.v, atol=1e-12)
    np.testing.assert_allclose(log_det_turned, log_det, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["conv", "gauge", "force"])
def test_lattice_networks_commute_with_translations_and_move(network: str, key: jax.Array) -> None:
    """By two sites, which keeps the lines; on the lattice they were made for and on a larger."""
    keys = jax.random.split(key, 3)
    leapfrog = trainable_leapfrog(keys[0], WILSON.space, network=network, hidden=(4,), n_layers=2)
    loud = disturbed(leapfrog, keys[1], 1.0)
    larger = Wilson(Links(U1(), (6, 4)), 2.0)
    with pytest.raises(ValueError, match="masks"):
        L2HMC(larger, loud)
    for theory, g in ((WILSON, loud), (larger, on_lattice(loud, larger.space))):
        L2HMC(theory, g)
        start = phase(theory, keys[2])
        forward = eqx.filter_jit(g.forward)
        end = forward(theory, start)[0]
        moved = forward(theory, PhasePoint(*(jnp.roll(a, (2, 2), (1, 2)) for a in start)))[0]
        assert distance(theory, moved.x, jnp.roll(end.x, (2, 2), (1, 2))) < 1e-12
        np.testing.assert_allclose(moved.v, jnp.roll(end.v, (2, 2), (1, 2)), atol=1e-12)


def test_diagnosis_follows_the_trajectory(key: jax.Array) -> None:
    leapfrog = trainable_leapfrog(key, GAUSSIAN.space, n_layers=3, hidden=(4,))
    sampler = L2HMC(GAUSSIAN, disturbed(leapfrog, key, 0.5), "random")
    state = eqx.filter_jit(sampler.state)(GAUSSIAN.space.random(key))
    seen = eqx.filter_jit(sampler.diagnose)(key, state)
    assert seen.energy.shape == seen.log_det.shape == (4,)
    v = GAUSSIAN.space.random_momentum(key)
    _, delta_h = eqx.filter_jit(sampler.propose)(state, v, jnp.asarray(True))
    energy = seen.energy - seen.log_det
    assert float(seen.log_det[0]) == 0 != float(seen.log_det[1])
    np.testing.assert_allclose(energy[-1] - energy[0], delta_h, rtol=0, atol=1e-11)


def test_energies_are_in_float64(key: jax.Array) -> None:
    theory = Wilson(Links(U1(), (4, 4), jnp.float32), 2.0)
    sampler = L2HMC(theory, trainable_leapfrog(key, theory.space, n_layers=2, hidden=(4,)))
    start = eqx.filter_eval_shape(sampler.init, key)
    state, info = eqx.filter_eval_shape(sampler.step, key, start)
    assert state.x.dtype == state.force.dtype == jnp.float32
    assert info.delta_h.dtype == state.action.dtype == jnp.float64


def test_step_sizes_are_fixed_on_request(key: jax.Array) -> None:
    @eqx.filter_jit
    @eqx.filter_grad
    def gradient(leapfrog: GeneralisedLeapfrog, start: PhasePoint) -> jax.Array:
        return jnp.sum(leapfrog.forward(GAUSSIAN, start)[0].x)

    for train in (True, False):
        leapfrog = trainable_leapfrog(
            key, GAUSSIAN.space, n_layers=2, hidden=(4,), train_step_sizes=train
        )
        found = gradient(leapfrog, phase(GAUSSIAN, key))
        assert bool(jnp.any(found.log_step_sizes != 0)) == train
        assert found.masks is None  # boolean, so not trained


def test_masks_are_saved_with_the_parameters(tmp_path: Path, key: jax.Array) -> None:
    def make(key: jax.Array, n_layers: int = 8, **options: Any) -> GeneralisedLeapfrog:
        return trainable_leapfrog(key, WILSON.space, n_layers=n_layers, hidden=(4,), **options)

    first, second = (make(k) for k in jax.random.split(key))
    assert bool(jnp.any(first.masks != second.masks))
    save_checkpoint(tmp_path / "l2hmc", first, {})
    restored, _ = load_checkpoint(tmp_path / "l2hmc", second)
    np.testing.assert_array_equal(restored.masks, first.masks)
    for other in (
        make(key, 7),
        make(key, x_networks=1),
        make(key, network="gauge"),
    ):
        with pytest.raises(CheckpointError):
            load_checkpoint(tmp_path / "l2hmc", other)


class Broken(MomentumNetwork):
    """A network that returns NaN at one of its outputs."""

    def __call__(self, x: jax.Array, force: jax.Array, time: jax.Array) -> Outputs:
        zero = jnp.zeros_like(x)
        return Outputs(zero, zero, zero.at[0].set(jnp.nan))


def test_a_network_that_returns_nan_is_refused_before_sampling(key: jax.Array) -> None:
    leapfrog = trainable_leapfrog(key, GAUSSIAN.space, hidden=(4,), separate=False)
    broken = eqx.tree_at(lambda g: g.momentum, leapfrog, Broken())
    with pytest.raises(ValueError, match="what a network returned is NaN"):
        sample(L2HMC(GAUSSIAN, broken), key, chains=2, draws=1, warmup=0)
    broken = disturbed(leapfrog, key, np.nan)
    with pytest.raises(ValueError, match="what a network returned is NaN"):
        sample(L2HMC(GAUSSIAN, broken), key, chains=2, draws=1, warmup=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_layers": 0}, "at least one"),
        ({"step_size": 0.0}, "step_size"),
        ({"step_size": float("nan")}, "step_size"),
        ({"network": "lstm"}, "choose dense, conv, gauge"),
        ({"network": "gauge"}, "links only"),
        ({"network": "conv", "kernel_size": 2}, "odd"),
        ({"hidden": ()}, "hidden"),
        ({"x_networks": 3}, "one or two"),
        ({"masks": jnp.ones((4, 3), bool)}, "masks"),
        ({"masks": jnp.ones((3, 4), bool)}, "one for each"),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str, key: jax.Array) -> None:
    with pytest.raises(ValueError, match=message):
        trainable_leapfrog(key, GAUSSIAN.space, **options)


def test_theories_that_do_not_fit_are_refused(key: jax.Array) -> None:
    leapfrog = trainable_leapfrog(key, GAUSSIAN.space)
    with pytest.raises(ValueError, match="masks"):
        L2HMC(strongly_correlated_gaussian(), leapfrog)
    with pytest.raises(ValueError, match="choose palindrome or random"):
        L2HMC(GAUSSIAN, leapfrog, "sideways")
