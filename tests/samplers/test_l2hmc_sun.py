"""L2HMC on SU(N): exact inverses and log-dets on the group, HMC without training, plaquettes."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from disturbed import disturbed

from gaugemc.chains import sample
from gaugemc.checks.maps import log_det_of_proposal
from gaugemc.exact.solved import exact_observables
from gaugemc.groups import SUN, U1, Group
from gaugemc.lattice import gauge_transform
from gaugemc.samplers import (
    HMC,
    INTEGRATORS,
    L2HMC,
    GeneralisedLeapfrog,
    on_lattice,
    trainable_leapfrog,
)
from gaugemc.samplers.hmc.integrator import PhasePoint
from gaugemc.spaces import Links
from gaugemc.statistics.autocorrelation import estimate, z_score
from gaugemc.theories import Gaussian, Improved, Wilson

pytestmark = pytest.mark.usefixtures("quick_compilation")

WILSON = Wilson(Links(SUN(3), (4, 2)), 4.0)
IMPROVED = Improved(Links(SUN(2), (2, 2, 2)), 1.5, c1=-0.331)
SMALL = Wilson(Links(SUN(2), (2, 2, 2)), 2.0)
FORCES = [
    pytest.param(WILSON, "palindrome", id="SU(3)"),
    pytest.param(IMPROVED, "random", id="3D SU(2), rectangles"),
    pytest.param(Wilson(Links(U1(), (2, 2, 4)), 1.0), "random", id="3D U(1)"),
]


def force_leapfrog(
    theory: Wilson, key: jax.Array, size: float, n_layers: int = 3, step_size: float = 0.15
) -> GeneralisedLeapfrog:
    """Trained forces of plaquettes and rectangles that are far from those of the theory."""
    leapfrog = trainable_leapfrog(
        key,
        theory.space,
        n_layers=n_layers,
        step_size=step_size,
        network="force",
        rectangles=True,
    )
    return disturbed(leapfrog, key, size)


def plain(theory: Wilson) -> Wilson:
    """The same theory, without compiled kernels."""
    space = theory.space
    links = Links(space.group.without_kernels(), space.lattice, space.real)
    return eqx.tree_at(lambda t: t.space, theory, links)


@eqx.filter_jit
def phase(leapfrog: GeneralisedLeapfrog, theory: Wilson, key: jax.Array) -> PhasePoint:
    keys = jax.random.split(key)
    x = theory.space.random(keys[0])
    return PhasePoint(x, theory.space.random_momentum(keys[1]), leapfrog.force(theory, x))


@pytest.mark.parametrize(("theory", "direction"), FORCES)
def test_proposals_undo_themselves_and_keep_the_volume(
    theory: Wilson, direction: str, key: jax.Array
) -> None:
    """In C++ and in JAX: the same proposals, their inverses, and the dense Jacobian."""
    leapfrog = force_leapfrog(theory, key, 0.4)
    start = phase(leapfrog, theory, key)
    ends = []
    for t in (theory, plain(theory)):
        sampler = L2HMC(t, leapfrog, direction)
        trajectory = eqx.filter_jit(sampler.trajectory)
        for coin in (True, False):
            end, log_det = trajectory(start, jnp.asarray(coin))
            ends.append(end)
            assert float(log_det) == 0
            assert float(theory.space.distance(end.x, start.x)) > 0.3
            force = leapfrog.force(theory, end.x)
            np.testing.assert_allclose(end.force, force, rtol=0, atol=1e-12)
        home = eqx.filter_jit(sampler.there_and_back)(start.x, start.v)
        assert float(theory.space.distance(home, start.x)) < 1e-12
    half = len(ends) // 2
    for ours, theirs in zip(ends[:half], ends[half:]):
        for a, b in zip(ours, theirs):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    assert log_det_of_proposal(L2HMC(theory, leapfrog, direction), key).passed


@pytest.mark.parametrize("direction", ["palindrome", "random"])
@pytest.mark.parametrize(
    "theory", [WILSON, plain(WILSON), IMPROVED], ids=["C++", "JAX", "rectangles"]
)
def test_untrained_it_is_hmc(theory: Wilson, direction: str, key: jax.Array) -> None:
    """The same chains from the same key and states: proposals, decisions, energies."""
    layers = 2 if direction == "palindrome" else 4
    leapfrog = force_leapfrog(theory, key, 0.0, layers, 0.35)
    assert_same_chains(theory, HMC(theory, 0.35, 4), L2HMC(theory, leapfrog, direction), key)


@pytest.mark.parametrize("name", ["omelyan", "forest_ruth", "omf4"])
def test_untrained_it_is_hmc_of_any_integrator(name: str, key: jax.Array) -> None:
    """Of fourth order, some layers go back."""
    forces = INTEGRATORS[name].forces_per_step
    leapfrog = trainable_leapfrog(
        key, WILSON.space, n_layers=forces, step_size=0.15, network="force", integrator=name
    )
    hmc = HMC(WILSON, 0.15 * forces, 2, name)
    assert_same_chains(WILSON, hmc, L2HMC(WILSON, leapfrog, "palindrome"), key)
    for bad in ({"n_layers": 2 * forces - 1}, {"separate": False}):
        options = {"n_layers": forces, "network": "force", "integrator": name, **bad}
        with pytest.raises(ValueError, match=name):
            trainable_leapfrog(key, WILSON.space, **options)


def assert_same_chains(theory: Wilson, hmc: HMC, trained: L2HMC, key: jax.Array) -> None:
    x = jax.vmap(theory.space.random)(jax.random.split(key, 8))
    a, b = (
        sample(s, key, draws=3, warmup=0, states=jax.vmap(lambda x, s=s: s.state(x))(x))
        for s in (hmc, trained)
    )
    np.testing.assert_allclose(b.draws.info.delta_h, a.draws.info.delta_h, rtol=0, atol=1e-11)
    np.testing.assert_array_equal(b.draws.info.accepted, a.draws.info.accepted)
    np.testing.assert_allclose(b.states.x, a.states.x, rtol=0, atol=1e-12)
    assert 0.1 < b.draws.info.acceptance.mean() < 0.999


def gauge_leapfrog(theory: Wilson, key: jax.Array, size: float) -> GeneralisedLeapfrog:
    """Networks of all outputs, with large ones."""
    leapfrog = trainable_leapfrog(
        key, theory.space, n_layers=2, step_size=0.2, network="gauge", hidden=(3,), kernel_size=1
    )
    return disturbed(leapfrog, key, size)


@pytest.mark.parametrize("theory", [SMALL, pytest.param(WILSON, marks=pytest.mark.slow)])
def test_networks_of_loops_have_inverses_and_log_dets(theory: Wilson, key: jax.Array) -> None:
    leapfrog = gauge_leapfrog(theory, key, 0.7)
    start = phase(leapfrog, theory, key)
    end, log_det = eqx.filter_jit(leapfrog.forward)(theory, start)
    home, back = eqx.filter_jit(leapfrog.backward)(theory, end)
    assert float(theory.space.distance(end.x, start.x)) > 0.3
    assert abs(float(log_det)) > 0.05
    assert float(theory.space.distance(home.x, start.x)) < 1e-12
    np.testing.assert_allclose(home.v, start.v, rtol=0, atol=1e-12)
    assert float(back) == pytest.approx(-float(log_det), abs=1e-11)
    np.testing.assert_allclose(
        end.x @ end.x.conj().mT, jnp.broadcast_to(jnp.eye(end.x.shape[-1]), end.x.shape), atol=1e-13
    )
    assert log_det_of_proposal(L2HMC(theory, leapfrog, "random"), key).passed


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["palindrome", "random"])
def test_untrained_networks_of_loops_are_hmc(direction: str, key: jax.Array) -> None:
    layers = 2 if direction == "palindrome" else 4
    leapfrog = trainable_leapfrog(
        key, WILSON.space, n_layers=layers, step_size=0.35, network="gauge", hidden=(3,)
    )
    assert_same_chains(WILSON, HMC(WILSON, 0.35, 4), L2HMC(WILSON, leapfrog, direction), key)


@pytest.mark.parametrize("make", [force_leapfrog, gauge_leapfrog], ids=["force", "gauge"])
def test_proposals_commute_with_gauge_transformations(make: Callable, key: jax.Array) -> None:
    leapfrog = make(IMPROVED, key, 0.4)
    group, start = IMPROVED.space.group, phase(leapfrog, IMPROVED, key)
    omega = group.random(key, IMPROVED.space.lattice, jnp.complex128)
    turned = transformed(group, start, omega)
    forward = eqx.filter_jit(leapfrog.forward)
    end, again = (forward(IMPROVED, point)[0] for point in (start, turned))
    for mine, other in zip(again, transformed(group, end, omega)):
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-12)


def transformed(group: Group, point: PhasePoint, omega: jax.Array) -> PhasePoint:
    """A point of phase space in another gauge: momenta turn as the site that their link leaves."""
    back = group.adjoint(omega)
    v, force = (group.transport(back[None], a) for a in (point.v, point.force))
    return PhasePoint(gauge_transform(group, point.x, omega), v, force)


def test_derivatives_are_those_of_finite_differences(key: jax.Array) -> None:
    """Of the energy at the end, by a step size and by a coupling: what training follows."""
    leapfrog = force_leapfrog(WILSON, key, 0.2)
    start = phase(leapfrog, WILSON, key)

    @eqx.filter_jit
    def action(change: jax.Array) -> jax.Array:
        moved = eqx.tree_at(
            lambda g: (g.log_step_sizes, g.momentum.weights),
            leapfrog,
            replace_fn=lambda a: a + (change[0] if a.ndim == 1 else change[1]),
        )
        begin = start._replace(force=moved.force(WILSON, start.x))
        return WILSON.action(moved.palindrome(WILSON, begin)[0].x)

    gradient = jax.jit(jax.grad(action))(jnp.zeros(2))
    for i in range(2):
        step = jnp.zeros(2).at[i].set(1e-5)
        assert float(gradient[i]) == pytest.approx(
            float(action(step) - action(-step)) / 2e-5, rel=1e-6
        )


@pytest.mark.parametrize(("n", "beta"), [(2, 3.0), (3, 3.0)])
def test_plaquette_in_two_dimensions(n: int, beta: float, key: jax.Array) -> None:
    """A leapfrog of wrong forces samples the right density: |z| < 4.5, false alarm 1e-5 each."""
    theory = Wilson(Links(SUN(n), (4, 4)), beta)
    sampler = L2HMC(theory, force_leapfrog(theory, key, 0.06, 2, 0.2))
    x = jax.vmap(theory.space.random)(jax.random.split(key, 64))
    states = jax.vmap(lambda x: sampler.state(x))(x)
    draws = sample(sampler, key, draws=400, warmup=100, states=states).draws
    plaquette = estimate(draws.observables["plaquette"])
    assert 0.1 < draws.info.acceptance.mean() < 0.99
    assert plaquette.error < 0.002
    z = z_score(plaquette, exact_observables(theory)["plaquette"])
    assert z is not None
    assert abs(z) < 4.5


def test_links_stay_on_the_group(key: jax.Array) -> None:
    """4^4, beta = 5.7: 1000 draws leave links unitary to 1e-12, and accept as HMC does."""
    theory = Wilson(Links(SUN(3), (4, 4, 4, 4)), 5.7)
    leapfrog = force_leapfrog(theory, key, 0.0, 2, 0.1)
    end = sample(L2HMC(theory, leapfrog), key, chains=1, draws=1000, warmup=0)
    x = end.states.x
    np.testing.assert_allclose(x @ x.conj().mT, jnp.broadcast_to(jnp.eye(3), x.shape), atol=1e-12)
    np.testing.assert_allclose(jnp.linalg.det(x), 1, atol=1e-12)
    assert 0.5 < end.draws.info.acceptance.mean() < 0.999


def test_a_leapfrog_moves_to_another_lattice(key: jax.Array) -> None:
    leapfrog = force_leapfrog(WILSON, key, 0.2)
    larger = Wilson(Links(SUN(3), (4, 4)), 4.0)
    with pytest.raises(ValueError, match="masks"):
        L2HMC(larger, leapfrog)
    moved = on_lattice(leapfrog, larger.space)
    sampler = L2HMC(larger, moved)
    x, v = larger.space.origin(), larger.space.random_momentum(key)
    assert float(larger.space.distance(x, eqx.filter_jit(sampler.there_and_back)(x, v))) < 1e-12


def test_what_knows_no_matrices_is_refused(key: jax.Array) -> None:
    with pytest.raises(ValueError, match=r"network dense: knows no SU\(3\); choose force or gauge"):
        trainable_leapfrog(key, WILSON.space)
    gaussian = Gaussian(jnp.zeros(2), jnp.eye(2))
    leapfrog = force_leapfrog(WILSON, key, 0.2)
    with pytest.raises(ValueError, match="an action of loops alone"):
        leapfrog.force(gaussian, jnp.zeros(2))


@pytest.mark.parametrize("passes", [(False, True), (True, False), (False, True, False)])
def test_a_turn_of_its_own_in_c_and_in_jax(passes: tuple[bool, ...], key: jax.Array) -> None:
    """Only where a pass forward is followed by one backward; the palindrome undoes itself."""
    leapfrog = force_leapfrog(WILSON, key, 0.2)
    turned = eqx.tree_at(lambda g: g.turn.weights, leapfrog, leapfrog.turn.weights + 0.5)  # pyright: ignore
    start = phase(leapfrog, WILSON, key)

    @eqx.filter_jit
    def end(leapfrog: GeneralisedLeapfrog, theory: Wilson, start: PhasePoint) -> PhasePoint:
        return leapfrog.traverse(theory, start, passes)[0]

    compiled, theirs = (end(turned, theory, start) for theory in (WILSON, plain(WILSON)))
    for a, b in zip(compiled, theirs):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    moved = float(jnp.max(jnp.abs(compiled.x - end(leapfrog, WILSON, start).x)))
    assert (moved > 1e-3) == (passes != (True, False))
    if passes == (False, True):
        home = end(turned, WILSON, compiled)
        np.testing.assert_allclose(home.x, start.x, rtol=0, atol=1e-12)


def test_a_kept_length_stays(key: jax.Array) -> None:
    options = {"n_layers": 5, "step_size": 0.15, "network": "force", "integrator": "omf4"}
    leapfrog = trainable_leapfrog(key, WILSON.space, keep_length=True, **options)
    other = disturbed(leapfrog, key, 0.1)
    other = eqx.tree_at(lambda g: g.log_step_sizes, other, replace_fn=lambda e: e + jnp.arange(5.0))
    assert not np.allclose(other.step_sizes, leapfrog.step_sizes)
    assert float(jnp.sum(other.step_sizes)) == pytest.approx(5 * 0.15)
    with pytest.raises(ValueError, match=r"length 0\.0: must be positive"):
        GeneralisedLeapfrog(
            leapfrog.momentum, (), leapfrog.masks, leapfrog.log_step_sizes, length=0.0
        )
