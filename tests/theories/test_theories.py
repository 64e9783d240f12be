"""Actions, their forces and their observables."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.exact import sun as exact_sun
from gaugemc.exact.solved import exact_observables, log_partition_function
from gaugemc.flows import NCP, gauge_flow
from gaugemc.groups import SUN, U1
from gaugemc.lattice import gauge_transform
from gaugemc.spaces import Euclidean, Links, Space, total
from gaugemc.theories import Gaussian, Improved, Ring, Tempered, Theory, Wilson
from gaugemc.training import LevelKL, quantile_flow

WILSON = [
    Wilson(Links(U1(), (4, 3)), 2.0),
    Wilson(Links(SUN(2), (4, 3)), 2.0),
    Wilson(Links(SUN(2), (2, 3, 2)), 2.5),
    Wilson(Links(SUN(3), (2, 2, 3, 2)), 5.7),
    Improved(Links(U1(), (4, 2, 3, 2)), 2.0, c1=-0.331),
    Improved(Links(SUN(2), (2, 3, 4)), 2.5, c1=-1 / 12),
    Improved(Links(SUN(3), (3, 2)), 4.0, c1=-1.4088),
    Improved(Links(SUN(3), (2, 2, 3, 2)), 2.6, c1=-0.331),
]
GAUSSIAN = Gaussian(jnp.array([1.0, -2.0]), jnp.array([[2.0, 0.6], [0.6, 0.5]]))


def name(theory: Theory) -> str:
    return theory.name


@eqx.filter_jit
def random_phase(space: Space, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A random point and a random momentum."""
    return space.random(key), space.random_momentum(jax.random.fold_in(key, 1))


@pytest.mark.parametrize("theory", [*WILSON, GAUSSIAN], ids=name)
def test_force_is_the_derivative_of_the_action(theory: Theory, key: jax.Array) -> None:
    """Along a random direction v, against fourth-order finite differences in float64."""
    space = theory.space
    x, v = random_phase(space, key)
    along = eqx.filter_jit(lambda t: theory.action(space.move(x, v, t)))
    h = 2e-3
    near, far = along(h) - along(-h), along(2 * h) - along(-2 * h)
    numeric = (8 * near - far) / (12 * h)
    force = eqx.filter_jit(theory.force)(x)
    kinetic = space.kinetic_energy
    product = kinetic(force + v) - kinetic(force) - kinetic(v)
    scale = float(jnp.sqrt(kinetic(force) * kinetic(v)))
    np.testing.assert_allclose(product, numeric, rtol=0, atol=1e-9 * scale)


@pytest.mark.parametrize("theory", [*WILSON, GAUSSIAN], ids=name)
def test_force_agrees_with_autodiff(theory: Theory, key: jax.Array) -> None:
    x, _ = random_phase(theory.space, key)
    force = eqx.filter_jit(theory.force)(x)
    differentiate = eqx.filter_jit(lambda x: theory.space.value_and_gradient(theory.action)(x))
    value, gradient = differentiate(x)
    np.testing.assert_allclose(force, gradient, rtol=0, atol=1e-12 * float(jnp.abs(force).max()))
    np.testing.assert_allclose(value, eqx.filter_jit(theory.action)(x), rtol=1e-13)


class Quartic(Theory):
    """A user's own theory, whose coupling is its field `beta`, linear in the action or not."""

    space: Euclidean
    beta: float

    @property
    def name(self) -> str:
        return "quartic"

    def action(self, x: jax.Array) -> jax.Array:
        return total(x**2 / 2 + self.beta**2 * x**4)

    def observables(self, x: jax.Array) -> dict[str, jax.Array]:
        return {"square": jnp.mean(x**2)}


class FixedQuartic(Quartic):
    """The same, with a beta that is not data: `at` has to temper it."""

    beta: float = eqx.field(static=True)


def pulled_back() -> Theory:
    space = Links(U1(), (4, 4))
    return Wilson(space, 2.0).pullback(gauge_flow(jax.random.key(1), space, NCP(), n_layers=2))


PLANE = Euclidean((2,))
SMALLER = {
    "wilson": (WILSON[1], 1.0, lambda t, x: t.action(x) / 2),
    "gaussian": (GAUSSIAN, 0.5, lambda t, x: t.action(x) / 2),
    "tempered": (Tempered(GAUSSIAN, 3.0), 1.5, lambda t, x: t.action(x) / 2),
    "of its own": (Quartic(PLANE, 2.0), 1.0, lambda t, x: Quartic(PLANE, 1.0).action(x)),
    "static": (FixedQuartic(PLANE, 2.0), 0.5, lambda t, x: t.action(x) / 2),
    "pulled back": (
        pulled_back(),
        1.0,
        lambda t, x: t.action(x) - t.theory.action(t.configuration(x)) / 2,
    ),
}


@pytest.mark.parametrize(("theory", "beta", "action"), SMALLER.values(), ids=SMALLER)
def test_another_beta_is_the_same_theory(theory, beta, action, key: jax.Array) -> None:
    """At half of its own beta, and at its own; without compiling anew."""
    x, _ = random_phase(theory.space, key)
    traced = []

    @jax.jit
    def at(beta: jax.Array) -> tuple[jax.Array, dict[str, jax.Array], jax.Array]:
        traced.append(beta)
        other = theory.at(beta)
        return other.action(x), other.observables(x), other.configuration(x)

    half, own = at(jnp.asarray(beta)), at(jnp.asarray(theory.own_beta))
    assert len(traced) == 1
    assert theory.own_beta == 2 * beta
    np.testing.assert_allclose(half[0], action(theory, x), rtol=1e-12)
    np.testing.assert_allclose(own[0], theory.action(x), rtol=1e-12)
    for observables, configuration in (half[1:], own[1:]):
        jax.tree.map(np.testing.assert_allclose, observables, theory.observables(x))
        np.testing.assert_allclose(configuration, theory.configuration(x), atol=1e-12)


def test_another_temperature_of_flow_variables_keeps_the_configuration(key: jax.Array) -> None:
    theory = pulled_back()
    x, _ = random_phase(theory.space, key)
    tempered = Tempered(theory, 0.5)
    np.testing.assert_array_equal(tempered.configuration(x), theory.configuration(x))
    np.testing.assert_array_equal(tempered.variable(x), theory.variable(x))


@pytest.mark.parametrize("theory", WILSON, ids=name)
def test_wilson_action_is_gauge_invariant(theory: Wilson, key: jax.Array) -> None:
    space = theory.space
    x, _ = random_phase(space, key)
    omega = space.group.random(jax.random.fold_in(key, 1), space.lattice, space.dtype)
    moved = eqx.filter_jit(gauge_transform)(space.group, x, omega)
    assert float(jnp.abs(moved - x).max()) > 0.1
    action, observables = eqx.filter_jit(theory.action), eqx.filter_jit(theory.observables)
    np.testing.assert_allclose(action(moved), action(x), rtol=0, atol=1e-11)
    before, after = observables(x), observables(moved)
    for observable in before:
        np.testing.assert_allclose(after[observable], before[observable], atol=1e-12)


@pytest.mark.parametrize("theory", WILSON, ids=name)
def test_cold_start_minimises_the_action(theory: Wilson) -> None:
    """S = -sum of the couplings of loops, without force."""
    x = theory.space.origin()
    d = len(theory.space.lattice)
    plaquettes = np.prod(theory.space.lattice) * d * (d - 1) / 2
    weight = sum(n * coupling for n, coupling in zip((1, 2), theory.loop_couplings))
    action = eqx.filter_jit(theory.action)(x)
    np.testing.assert_allclose(action, -weight * plaquettes, rtol=1e-14)
    np.testing.assert_allclose(eqx.filter_jit(theory.force)(x), 0, atol=1e-13)
    assert float(eqx.filter_jit(theory.observables)(x)["plaquette"]) == 1


@pytest.mark.parametrize("charge", [-2, 0, 3])
def test_charge_of_an_instanton(charge: int) -> None:
    """Constant flux 2 pi Q / V, closed by a wall of twisted links."""
    size = 6
    flux = 2 * np.pi * charge / size**2
    n = jnp.arange(size, dtype=jnp.float64)
    along_1 = jnp.broadcast_to((flux * n)[:, None], (size, size))
    along_0 = jnp.zeros((size, size)).at[-1].set(-flux * size * n)
    theory = Wilson(Links(U1(), (size, size)), 1.0)
    x = theory.space.project(jnp.stack([along_0, along_1]))
    measured = theory.observables(x)
    assert float(measured["charge"]) == charge
    assert float(measured["charge_squared"]) == charge**2
    np.testing.assert_allclose(measured["plaquette"], np.cos(flux), rtol=1e-12)


def test_single_precision_fields_have_double_precision_energies(key: jax.Array) -> None:
    theory = Wilson(Links(SUN(3), (3, 2), jnp.float32), 5.7)
    double = Wilson(Links(SUN(3), (3, 2)), 5.7)
    x, _ = random_phase(theory.space, key)
    force = eqx.filter_jit(theory.force)(x)
    assert eqx.filter_jit(theory.action)(x).dtype == jnp.float64
    assert force.dtype == x.dtype == jnp.complex64
    exact = eqx.filter_jit(double.force)(x.astype(complex))
    np.testing.assert_allclose(force, exact, atol=1e-5)


@pytest.mark.parametrize("beta", [-1.0, float("nan"), float("inf")])
def test_refuses_impossible_beta(beta: float) -> None:
    with pytest.raises(ValueError, match="beta"):
        Wilson(Links(U1(), (4, 4)), beta)


@pytest.mark.parametrize("lattice", [(8,), (1, 8), (4, 4, 1)])
def test_refuses_degenerate_lattices(lattice: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="lattice"):
        Links(U1(), lattice)


@pytest.mark.parametrize("space", [Euclidean((3,)), Links(U1(), (2, 3)), Links(SUN(3), (2, 2))])
def test_moving_there_and_back(space: Euclidean | Links, key: jax.Array) -> None:
    x, v = random_phase(space, key)
    assert x.shape == v.shape == space.field_shape
    move = eqx.filter_jit(space.move)
    there = move(x, v, jnp.asarray(0.7))
    assert float(jnp.abs(there - x).max()) > 0.1
    np.testing.assert_allclose(move(there, v, jnp.asarray(-0.7)), x, atol=1e-14)


def one_plaquette(n: int, beta: float) -> float:
    """<Re tr P / N> of a single SU(2) or SU(3) plaquette, by quadrature over the eigenvalues."""
    angles = 2 * np.pi * np.arange(128) / 128
    free = np.meshgrid(*[angles] * (n - 1))
    phases = np.exp(1j * np.stack([*free, -sum(free)]))
    measure = np.ones(free[0].shape)
    for j in range(n):
        for k in range(j):
            measure = measure * np.abs(phases[j] - phases[k]) ** 2
    trace = phases.sum(axis=0).real / n
    weight = measure * np.exp(beta * (trace - 1))
    return float((trace * weight).sum() / weight.sum())


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("beta", [0.3, 2.0, 6.0])
def test_exact_plaquette_of_a_large_torus(n: int, beta: float) -> None:
    """Plaquettes of an infinite plane are independent."""
    exact = exact_sun.plaquette(n, beta, 1000)
    np.testing.assert_allclose(exact, one_plaquette(n, beta), rtol=1e-11)


@pytest.mark.parametrize("n", [2, 3])
def test_exact_plaquette_of_a_small_torus(n: int) -> None:
    """At V = 1 the plaquette is the commutator of two links, which averages 1 / N^2 at beta = 0."""
    np.testing.assert_allclose(exact_sun.plaquette(n, 0.0, 1), 1 / n**2, rtol=1e-12)
    assert exact_sun.plaquette(n, 0.0, 4) == pytest.approx(0, abs=1e-14)
    assert exact_sun.plaquette(n, 2.0, 4) > exact_sun.plaquette(n, 2.0, 9) > one_plaquette(n, 2.0)


@pytest.mark.parametrize(("n", "beta", "volume"), [(1, 1.0, 4), (2, -1.0, 4), (2, 1.0, 0)])
def test_exact_plaquette_refuses(n: int, beta: float, volume: int) -> None:
    with pytest.raises(ValueError, match="no such theory"):
        exact_sun.plaquette(n, beta, volume)


class Squared:
    """Another action, mixed into a theory."""

    def action(self, x: jax.Array) -> jax.Array:
        return super().action(x) ** 2  # pyright: ignore[reportAttributeAccessIssue]


def other_actions() -> list[tuple[Theory, Theory]]:
    """Theories, and what inherits from them but has another action."""

    class OtherWilson(Squared, Wilson):
        pass

    class OtherGaussian(Gaussian):
        def action(self, x: jax.Array) -> jax.Array:
            return super().action(x) ** 2

    class OtherTempered(Tempered):
        def action(self, x: jax.Array) -> jax.Array:
            return super().action(x) ** 2

    flat, other = Wilson(WILSON[0].space, 2.0), OtherWilson(WILSON[0].space, 2.0)
    matrices = Wilson(WILSON[1].space, 2.0), OtherWilson(WILSON[1].space, 2.0)
    vectors = [c(GAUSSIAN.mean, GAUSSIAN.covariance) for c in (Gaussian, OtherGaussian)]  # pyright: ignore
    tempered = [c(Wilson(WILSON[0].space, 4.0), 0.5) for c in (Tempered, OtherTempered)]  # pyright: ignore
    return [(flat, other), matrices, (vectors[0], vectors[1]), (tempered[0], tempered[1])]


@pytest.mark.parametrize("pair", range(4))
def test_nothing_is_inherited_from_another_action(pair: int, key: jax.Array) -> None:
    """Neither exact values nor forces: dS^2 = 2 S dS."""
    theory, other = other_actions()[pair]
    assert exact_observables(theory)
    assert exact_observables(other) == {}
    assert np.isnan(log_partition_function(other))
    assert other.wilson_beta is None
    x = theory.space.random(key)
    force = 2 * theory.action(x) * theory.force(x)
    np.testing.assert_allclose(other.force(x), force, rtol=1e-10, atol=1e-10)


def test_what_a_class_says_of_its_own_action_is_kept() -> None:
    class Shifted(Ring):
        def action(self, x: jax.Array) -> jax.Array:
            return super().action(x) + 1

        def exact_observables(self) -> dict[str, float]:
            return super().exact_observables()

    class Named(Wilson):
        @property
        def name(self) -> str:
            return "named"

    assert exact_observables(Shifted()) == Ring().exact_observables()  # pyright: ignore
    assert Shifted.force is Theory.force
    named = Named(WILSON[0].space, 2.0)
    assert exact_observables(named) == exact_observables(WILSON[0])
    assert Named.force is Wilson.force
    assert exact_observables(Tempered(Wilson(WILSON[0].space, 4.0), 0.5)) == exact_observables(
        named
    )


def test_levels_of_other_theories_are_refused() -> None:
    for theory in (other_actions()[0][1], WILSON[1], GAUSSIAN):
        with pytest.raises(ValueError, match=r"^levels: need 2D U\(1\) with Wilson's action"):
            quantile_flow(theory)
        with pytest.raises(ValueError, match=r"^levels: need 2D U\(1\) with Wilson's action"):
            LevelKL(theory, 8, 0.0)
