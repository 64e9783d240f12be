"""The compiled kernels against XLA's code for the same."""

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.groups import SUN, U1, Group
from gaugemc.groups.sun import anti_hermitian_traceless
from gaugemc.kernels import native
from gaugemc.kernels.once import once
from gaugemc.lattice import field_strength_products, plaquette_sum, rectangle_sum, staple_sum
from gaugemc.samplers import FOREST_RUTH, HMC, OMELYAN
from gaugemc.samplers.hmc.integrator import PhasePoint, trajectory
from gaugemc.samplers.l2hmc.flux_series import FluxSeries
from gaugemc.spaces import Links
from gaugemc.theories import GradientFlow, Improved, Tempered, Wilson
from gaugemc.theories.wilson import loop_force

pytestmark = pytest.mark.skipif(
    not native.kernels(3, jnp.complex128), reason="no compiled kernels here"
)


def plain(space: Links) -> Links:
    """The same links, without compiled kernels."""
    return Links(space.group.without_kernels(), space.lattice, space.real)


SHAPES = {
    "sites": (SUN(3), (4, 4, 4, 4), 1, jnp.float64),
    "sites, float32": (SUN(3), (4, 4, 4, 4), 1, jnp.float32),
    "odd extents": (SUN(3), (3, 5, 2, 3), 1, jnp.float64),
    "prime extents": (SUN(2), (17, 19), 1, jnp.float64),
    "chains": (SUN(3), (2, 3, 3), 19, jnp.float64),
    "chains, float32": (SUN(2), (3, 3), 37, jnp.float32),
    "chains and sites": (SUN(2), (3, 2, 2, 3), 2, jnp.float64),
    "two dimensions": (SUN(3), (8, 6), 3, jnp.float32),
    "angles": (U1(), (16, 16), 3, jnp.float32),
    "angles, float64": (U1(), (16, 8), 2, jnp.float64),
    "angles, prime extents": (U1(), (17, 19), 5, jnp.float32),
    "angles, chains": (U1(), (3, 5, 2), 19, jnp.float64),
    "angles, shared among threads": (U1(), (96, 192), 1, jnp.float32),
    "angles, four dimensions": (U1(), (3, 4, 2, 6), 2, jnp.float32),
}


ACTIONS = {"plaquettes": Wilson, "rectangles": functools.partial(Improved, c1=-0.331)}


class Chains(NamedTuple):
    """Chains of an action with another beta each, and the size of rounding."""

    space: Links
    action: Callable[[Links, jax.Array], Wilson]
    start: PhasePoint
    beta: jax.Array
    rounding: float

    def on_all(self, f: Callable[[Wilson, PhasePoint], Any], space: Links) -> Any:
        """f(theory, start) of all chains, on other links of the same kind."""
        run = jax.vmap(lambda start, beta: f(self.action(space, beta), start))
        return jax.jit(run)(self.start, self.beta)


@pytest.fixture(params=itertools.product(SHAPES, ACTIONS), scope="module", ids=" ".join)
def chains(request: pytest.FixtureRequest) -> Chains:
    shape, action = request.param
    group, lattice, n, real = SHAPES[shape]
    space = Links(group, lattice, real)
    keys = jax.random.split(jax.random.key(len(shape)), 2 * n).reshape(2, n)
    x = once(jax.vmap(lambda key: space.random(key)))(keys[0])
    v = jax.jit(jax.vmap(space.random_momentum))(keys[1])
    start, beta = PhasePoint(x, v, jnp.zeros_like(x)), jnp.linspace(2.0, 6.0, n)
    result = Chains(space, ACTIONS[action], start, beta, 100 * float(jnp.finfo(real).eps))
    force = result.on_all(lambda theory, start: theory.force(start.x), plain(space))
    return result._replace(start=start._replace(force=force))


def test_force(chains: Chains) -> None:
    ours = chains.on_all(lambda theory, start: theory.force(start.x), chains.space)
    assert ours.dtype == chains.start.x.dtype
    np.testing.assert_allclose(ours, chains.start.force, atol=chains.rounding)
    if jnp.iscomplexobj(ours):
        np.testing.assert_array_equal(ours, -ours.conj().mT)


def test_staples(chains: Chains) -> None:
    space = chains.space
    if "staples" not in space.kernels:
        pytest.skip("angles have no kernel of their own for staples")
    ours = chains.on_all(lambda t, start: native.staples(start.x, t.loop_couplings), space)
    for mu in range(len(space.lattice)):
        theirs = chains.on_all(
            lambda t, start, mu=mu: staple_sum(space.group, start.x, mu, t.loop_couplings), space
        )
        np.testing.assert_allclose(ours[:, mu], theirs, atol=chains.rounding)


@pytest.mark.parametrize("loop_sum", [plaquette_sum, rectangle_sum, field_strength_products])
def test_sums_of_loops(loop_sum: Callable[..., jax.Array], chains: Chains) -> None:
    ours, theirs = (
        chains.on_all(lambda theory, start: loop_sum(theory.space.group, start.x), space)
        for space in (chains.space, plain(chains.space))
    )
    assert ours.dtype == jnp.float64
    np.testing.assert_allclose(ours, theirs, atol=chains.rounding * chains.space.n_links)


def test_trajectory(chains: Chains) -> None:
    """Chains with step sizes and numbers of steps of their own."""
    n = len(chains.beta)
    steps = jnp.linspace(0.02, 0.2, n), 1 + jnp.arange(n, dtype=jnp.int32) % 4

    @functools.partial(jax.jit, static_argnums=0)
    @functools.partial(jax.vmap, in_axes=(None, 0, 0, 0, 0))
    def run(space, start, beta, step_size, n_steps):
        theory = chains.action(space, beta)
        arguments = theory.force, start, step_size, n_steps, theory.compiled_couplings
        return trajectory(FOREST_RUTH, space, *arguments)

    ours, theirs = (
        run(space, chains.start, chains.beta, *steps)
        for space in (chains.space, plain(chains.space))
    )
    for mine, other, size in zip(ours, theirs, (1, 5, 5)):
        np.testing.assert_allclose(mine, other, atol=size * chains.rounding)
    assert float(jnp.max(jnp.abs(ours.x - chains.start.x))) > 0.02


def test_gradient_flow(chains: Chains) -> None:
    """Chains with flow times of their own, of up to four steps."""
    times = jnp.linspace(0.0, 0.04, len(chains.beta))

    @functools.partial(jax.jit, static_argnums=0)
    @functools.partial(jax.vmap, in_axes=(None, 0, 0, 0))
    def run(space, x, beta, time):
        return GradientFlow(chains.action(space, beta), 0.01)(x, time)

    ours, theirs = (
        run(space, chains.start.x, chains.beta, times)
        for space in (chains.space, plain(chains.space))
    )
    np.testing.assert_allclose(ours, theirs, atol=chains.rounding)
    if len(times) > 1:
        assert float(jnp.max(jnp.abs(ours - chains.start.x))) > 0.02


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("real", [jnp.float64, jnp.float32])
def test_links_move_on_geodesics_of_any_length(n: int, real: type, key: jax.Array) -> None:
    """Among others of the momentum 0, and of one with equal eigenvalues."""
    space = Links(SUN(n), (4, 4), real)
    x, v = once(lambda key: (space.random(key), space.random_momentum(key)))(key)
    v = v.at[0, 0].set(0.0)
    v = v.at[0, 1].set(jnp.diag(jnp.asarray([1j] * (n - 1) + [(1 - n) * 1j], v.dtype)))
    exact = jax.jit(plain(space).move)
    for size in (0.0, 1e-9, 0.1, 0.5, 1.0, 3.0, 30.0, 1000.0):
        end = native.move(x, v, jnp.asarray(size))
        rounding = 20 * float(jnp.finfo(real).eps) * max(1, size)
        wide = exact(x.astype(complex), v.astype(complex), size)
        np.testing.assert_allclose(end, wide, atol=4 * rounding)
        unit = jnp.einsum("...ij,...kj->...ik", end, end.conj())
        np.testing.assert_allclose(unit, jnp.broadcast_to(jnp.eye(n), unit.shape), atol=rounding)


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("real", [jnp.float64, jnp.float32])
def test_links_of_long_trajectories_are_unitary(n: int, real: type, key: jax.Array) -> None:
    """1e4 moves of every link in float64, 1000 in float32; two chains end at different times."""
    space = Links(SUN(n), (2, 2, 2), real)
    hmc = HMC(Wilson(space, 2.0), 0.1, 1)
    v = once(lambda key: jax.vmap(space.random_momentum)(jax.random.split(key)))(key)
    x = jnp.broadcast_to(space.origin(), v.shape)
    steps = jnp.asarray([1, 10]) * (1000 if real == jnp.float64 else 100)
    run = jax.jit(jax.vmap(lambda start, n: hmc.with_steps(0.1, n).trajectory(start)))
    wide = run(PhasePoint(x, v, jnp.zeros_like(x)), steps).x.astype(complex)
    unit = jnp.einsum("...ij,...kj->...ik", wide, wide.conj())
    size = 1e-13 if real == jnp.float64 else 1e-5
    np.testing.assert_allclose(unit, jnp.broadcast_to(jnp.eye(n), unit.shape), atol=size)
    np.testing.assert_allclose(jnp.linalg.det(wide), 1, atol=size)
    alone = run(PhasePoint(x[:1], v[:1], jnp.zeros_like(x[:1])), steps[:1])
    np.testing.assert_allclose(alone.x[0], wide[0], atol=100 * size)


def test_what_means_nothing_is_nan(key: jax.Array) -> None:
    """NaN of one chain stays there; so does a momentum whose rounding is larger than 1."""
    space = Links(SUN(3), (2, 2))
    keys = jax.random.split(key, 8)
    x, v = once(lambda keys: (jax.vmap(space.random)(keys), jax.vmap(space.random_momentum)(keys)))(
        keys
    )
    v = v.at[1, 0, 0, 0, 0, 1].set(jnp.nan).at[2].multiply(1e20).at[3, 0, 0, 0, 0, 1].set(jnp.inf)
    theory = Wilson(space, 5.7)
    hmc = HMC(theory, 0.1, 2)
    end = jax.jit(jax.vmap(hmc.trajectory))(PhasePoint(x, v, jax.vmap(theory.force)(x)))
    bad = jnp.any(jnp.isnan(end.x), axis=range(1, 6))
    np.testing.assert_array_equal(bad, [False, True, True, True] + [False] * 4)


@pytest.mark.parametrize("extents", [(1, 1), (2, 1), (1, 4, 3), (2, 2), (32, 1)])
def test_angles_on_small_lattices(extents: tuple[int, ...], key: jax.Array) -> None:
    """Where a plaquette holds a link twice, or a link and its inverse."""
    x = 10 * jax.random.normal(key, (7, len(extents), *extents))
    beta = jnp.linspace(0.0, 3.0, 7)
    twin = functools.partial(loop_force, U1())
    ours, theirs = jax.vmap(native.force)(x, (beta,)), jax.vmap(twin)(x, (beta,))
    np.testing.assert_allclose(ours, theirs, atol=1e-13)


@pytest.mark.parametrize("extents", [(2, 2), (5, 3), (16, 8), (2, 32), (96, 192)])
def test_forces_of_series(extents: tuple[int, int], key: jax.Array) -> None:
    """With chains of another beta each; on the last lattice threads share the sites."""
    keys = jax.random.split(key, 2)
    series = FluxSeries(jax.random.normal(keys[0], (9,)), jnp.asarray(-0.7))
    theory = Wilson(Links(U1(), extents), 1.0)
    chains = 2 if extents[0] > 16 else 19
    x, beta = 10 * jax.random.normal(keys[1], (chains, 2, *extents)), jnp.linspace(0.0, 3.0, chains)

    def ours(x: jax.Array, beta: jax.Array) -> jax.Array:
        return native.force(x, series.compiled_couplings(theory.at(beta)))

    force = jax.vmap(lambda x, beta: series.force(theory.at(beta), x))(x, beta)
    np.testing.assert_allclose(jax.vmap(ours)(x, beta), force, atol=3e-12)


@pytest.mark.parametrize("real", [jnp.float64, jnp.float32])
def test_sines_of_angles_of_any_size(real: type) -> None:
    """Where one link is not 0, the force on another link of a plaquette is minus its sine."""
    size = jnp.concatenate([jnp.linspace(0, 10, 5001), jnp.geomspace(1e-20, 1e4, 5001)])
    angle = jnp.concatenate([-size, size]).astype(real)
    x = jnp.zeros((len(angle), 2, 2, 2), real).at[:, 0, 0, 0].set(angle)
    force = np.asarray(jax.vmap(native.force)(x, (jnp.ones(len(angle)),))[:, 1, 0, 0])
    angle = np.asarray(angle, np.longdouble)
    exact = -np.sin(angle)
    rounding = np.finfo(real).eps * np.maximum(np.abs(angle), np.abs(exact))
    assert np.all(np.abs(force - exact) <= rounding)


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_derivatives_are_those_of_the_twin(action, key: jax.Array) -> None:
    theory = action(Links(SUN(2), (3, 3)), 2.5)
    x, direction = theory.space.random(key), theory.space.random_momentum(key)

    def loss(f, beta):
        return jnp.sum(jnp.abs(f(x, beta) - direction) ** 2)

    def twin(x, beta):
        return loop_force(theory.space.group, x, theory.at(beta).loop_couplings)

    ours, theirs = (
        jax.grad(functools.partial(loss, f))(theory.beta)
        for f in (lambda x, beta: theory.at(beta).force(x), twin)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-13)
    hessian = jax.jvp(theory.force, (x,), (x @ direction,))[1]
    np.testing.assert_allclose(
        hessian, jax.jvp(lambda x: twin(x, theory.beta), (x,), (x @ direction,))[1], rtol=1e-12
    )
    force = theory.space.gradient(theory.action)(x)
    np.testing.assert_allclose(force, theory.force(x), atol=1e-13)
    hmc = HMC(theory, 0.1, 2)

    def end(step_size):
        return hmc.with_steps(step_size, 2).trajectory(PhasePoint(x, direction, force)).x

    speed = jax.jvp(end, (jnp.asarray(0.1),), (jnp.asarray(1.0),))[1]
    difference = (end(0.1 + 1e-5) - end(0.1 - 1e-5)) / 2e-5
    np.testing.assert_allclose(speed, difference, atol=1e-8)


def test_derivatives_of_angles_are_those_of_the_twin(key: jax.Array) -> None:
    theory = Wilson(Links(U1(), (3, 4)), 2.5)
    keys = jax.random.split(key, 3)
    x = theory.space.random(keys[0])
    v, direction = map(theory.space.random_momentum, keys[1:])
    bare = Wilson(plain(theory.space), theory.beta)

    def end(theory, x, beta):
        theory = theory.at(beta)
        hmc = HMC(theory, 0.1, 2, OMELYAN)
        return hmc.trajectory(PhasePoint(x, v, theory.force(x)))

    def gradient(theory):
        def loss(x, beta):
            return jnp.sum(direction * end(theory, x, beta).x)

        return jax.grad(loss, argnums=(0, 1))(x, theory.beta)

    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-12), *map(gradient, (theory, bare))
    )
    slopes = (jax.jvp(t.force, (x,), (direction,))[1] for t in (theory, bare))
    np.testing.assert_allclose(*slopes, rtol=1e-12, atol=1e-13)
    force = theory.space.gradient(theory.action)(x)
    np.testing.assert_allclose(force, theory.force(x), atol=1e-13)


@pytest.mark.parametrize("group", [U1(), SUN(2)], ids=str)
@pytest.mark.parametrize("axis", [0, 1])
def test_derivatives_of_many_chains(group: Group, axis: int, key: jax.Array) -> None:
    """The kernel has its axis of chains first, wherever the twin has it."""
    theory = Wilson(Links(group, (3, 4)), 2.5)
    x = jax.vmap(theory.space.random)(jax.random.split(key, 5))

    def derivatives(theory: Wilson) -> tuple[jax.Array, jax.Array]:
        def loss(x: jax.Array) -> jax.Array:
            force = theory.force(x)
            moved = theory.space.move(x, force, 0.1)
            return theory.action(moved) + jnp.sum(jnp.sin(theory.force(moved)[None].real))

        def end(x: jax.Array) -> jax.Array:
            force = theory.force(x)
            return HMC(theory, 0.1, 2).trajectory(PhasePoint(x, force, force)).x[None]

        @jax.jit
        def both(x: jax.Array) -> tuple[jax.Array, jax.Array]:
            gradient = jax.grad(lambda x: jnp.sum(jax.vmap(loss, in_axes=axis)(x)))(x)
            return gradient, jax.jvp(jax.vmap(end, in_axes=axis), (x,), (x * x,))[1]

        return both(jnp.moveaxis(x, 0, axis))

    bare = Wilson(plain(theory.space), theory.beta)
    for ours, theirs in zip(derivatives(theory), derivatives(bare)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)


def test_trajectories_keep_the_volume(key: jax.Array) -> None:
    """|det| of the map of phase space is 1, by finite differences in all its directions."""
    space = Links(SUN(2), (2, 2))
    hmc = HMC(Wilson(space, 2.0), 0.2, 3, OMELYAN)
    x, v = space.random(key), space.random_momentum(key)
    basis = SUN(2).generators
    n = space.n_links * len(basis)

    def algebra(components):
        return jnp.einsum("...a,aij->...ij", components.reshape(*space.shape, -1), basis)

    def components(v):
        return (-2 * jnp.einsum("...ij,aji->...a", v, basis).real).ravel()

    @jax.jit
    def run(e):
        moved = space.move(x, algebra(e[:n]), 1.0)
        return hmc.trajectory(PhasePoint(moved, v + algebra(e[n:]), hmc.force(moved)))

    end, h = run(jnp.zeros(2 * n)), 1e-4
    steps = h * jnp.eye(2 * n)
    there, back = jax.vmap(run)(steps), jax.vmap(run)(-steps)

    def change(a, b):
        turned = jax.vmap(lambda x: components(anti_hermitian_traceless(x @ end.x.conj().mT)))
        return jnp.hstack([turned(a.x) - turned(b.x), jax.vmap(components)(a.v - b.v)]) / (2 * h)

    assert abs(np.linalg.slogdet(change(there, back))[1]) < 1e-5


def test_a_theory_with_another_force_is_not_compiled() -> None:
    class Cold(Wilson):
        def force(self, x: jax.Array) -> jax.Array:
            return 2 * super().force(x)

    class Other(Wilson):
        def action(self, x: jax.Array) -> jax.Array:
            return 2 * super().action(x)

    links = Links(SUN(2), (4, 4))
    for theory in (Cold(links, 2.0), Other(links, 2.0), Wilson(Links(SUN(4), (4, 4)), 2.0)):  # pyright: ignore[reportCallIssue]
        assert theory.compiled_couplings == ()
    assert Wilson(links, 2.0).compiled_couplings == (2.0,)
    for theory in (Wilson(links, 2.0), Improved(links, 2.0, c1=-0.5)):
        assert theory.compiled_couplings == theory.loop_couplings
        assert Tempered(theory, 1.5).compiled_couplings == theory.at(3.0).loop_couplings


def test_programs_with_and_without_kernels_are_not_mixed_up(key: jax.Array) -> None:
    @eqx.filter_jit
    def draw(hmc, key):
        return hmc.step(key, hmc.init(key))

    def kernels(group: SUN) -> int:
        hmc = HMC(Wilson(Links(group, (2, 2)), 2.0), 0.1, 2)
        return draw.lower(hmc, key).as_text().count("gaugemc_")

    with_kernels, without, again = (kernels(SUN(2, native=on)) for on in (True, False, True))
    assert with_kernels == again > 0
    assert without == kernels(SUN(2).without_kernels()) == 0


def test_fields_that_are_not_like_the_links_are_refused() -> None:
    space = Links(SUN(2), (2, 2))
    x, zero = space.origin(), jnp.zeros(())
    wrong = x.astype(jnp.complex64)
    message = r"^field of shape \[.*\] and type complex64: must be like the links, .* complex128"
    with pytest.raises(ValueError, match=message):
        native.move(x, wrong, zero)
    with pytest.raises(ValueError, match=message):
        HMC(Wilson(space, 2.0), 0.1, 1).trajectory(PhasePoint(x, x, wrong))
