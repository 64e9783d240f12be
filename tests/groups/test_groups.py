"""Group axioms, the exponential map, Haar measure, momenta and derivatives of U(1) and SU(N)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from gaugemc.groups import SUN, U1, Group
from gaugemc.kernels import sine

GROUPS = [U1(), SUN(2), SUN(3)]
UNITARY = [SUN(2), SUN(3), SUN(4)]
F64 = jnp.float64


@pytest.fixture(params=GROUPS, ids=lambda g: g.name)
def group(request: pytest.FixtureRequest) -> Group:
    return request.param


@pytest.fixture(params=UNITARY, ids=lambda g: g.name)
def sun(request: pytest.FixtureRequest) -> SUN:
    return request.param


def random(group: Group, key: jax.Array, count: int = 6, real: type = F64) -> jax.Array:
    return group.random(key, (count,), group.dtype(real))


def algebra(group: Group, key: jax.Array, count: int = 6, real: type = F64) -> jax.Array:
    return group.random_algebra(key, (count,), group.dtype(real))


def generators(group: Group) -> np.ndarray:
    return group.generators if isinstance(group, SUN) else np.ones(1)


def matrix(u: jax.Array) -> np.ndarray:
    """A group element as a matrix: the representation in which U(1) angles can be compared."""
    return np.exp(1j * np.asarray(u))[:, None, None] if u.ndim == 1 else np.asarray(u)


def deviation(u: jax.Array) -> float:
    """How far matrices are from special unitary."""
    m = np.asarray(u)
    unitary = m @ m.conj().swapaxes(-1, -2) - np.eye(m.shape[-1])
    return max(float(np.abs(unitary).max()), float(np.abs(np.linalg.det(m) - 1).max()))


def inner(group: Group, a: jax.Array, b: jax.Array) -> jax.Array:
    """The sum of products of components."""
    kinetic = group.kinetic_energy
    return kinetic(a + b) - kinetic(a) - kinetic(b)


def test_axioms(group: Group, key: jax.Array) -> None:
    a, b, c = (random(group, k) for k in jax.random.split(key, 3))
    one = group.identity((6,), a.dtype)
    np.testing.assert_allclose(matrix(group.multiply(a, one)), matrix(a), atol=1e-14)
    np.testing.assert_allclose(matrix(group.multiply(one, a)), matrix(a), atol=1e-14)
    np.testing.assert_allclose(matrix(group.multiply(a, group.adjoint(a))), matrix(one), atol=1e-14)
    left = group.multiply(group.multiply(a, b), c)
    right = group.multiply(a, group.multiply(b, c))
    np.testing.assert_allclose(matrix(left), matrix(right), atol=1e-14)
    np.testing.assert_allclose(matrix(group.multiply(a, b)), matrix(a) @ matrix(b), atol=1e-14)


def test_trace_and_angle(group: Group, key: jax.Array) -> None:
    u = random(group, key)
    trace = np.trace(matrix(u), axis1=1, axis2=2).real / matrix(u).shape[-1]
    np.testing.assert_allclose(group.trace(u), trace, atol=1e-14)
    phase = np.exp(1j * np.asarray(group.angle(u)))
    np.testing.assert_allclose(phase, np.linalg.det(matrix(u)), atol=1e-14)


def of_norm(sun: SUN, key: jax.Array, norm: float, real: type) -> jax.Array:
    v = algebra(sun, key)
    v = norm * v / jnp.linalg.norm(v, ord=2, axis=(-2, -1), keepdims=True)
    return v.astype(sun.dtype(real))


@pytest.mark.parametrize("real", [jnp.float32, F64], ids=["f32", "f64"])
@pytest.mark.parametrize("norm", [1e-8, 0.1, 0.68, 1.0, 1.4, 10.0, 11.0, 20.0, 50.0, 1e3, 1e4])
def test_exp_of_any_norm(sun: SUN, key: jax.Array, norm: float, real: type) -> None:
    """To the rounding of the argument: the phases of its eigenvalues are no better known."""
    v = of_norm(sun, key, norm, real)
    phases, vectors = np.linalg.eigh(1j * np.asarray(v, np.complex128))
    expected = (vectors * np.exp(-1j * phases)[:, None]) @ vectors.conj().swapaxes(-1, -2)
    rounding = 12 * float(jnp.finfo(real).eps) * max(1, norm)
    np.testing.assert_allclose(sun.exp(v), expected, rtol=0, atol=rounding)
    assert deviation(sun.exp(v)) < 2 * rounding


def test_exp_agrees_with_expm(sun: SUN, key: jax.Array) -> None:
    v = algebra(sun, key)
    np.testing.assert_allclose(sun.exp(v), scipy.linalg.expm(np.asarray(v)), rtol=0, atol=1e-14)


def test_exp_of_one_member_of_a_batch_does_not_depend_on_the_others(
    sun: SUN, key: jax.Array
) -> None:
    small, large = algebra(sun, key), of_norm(sun, key, 300.0, F64)
    exp = jax.jit(jax.vmap(sun.exp))
    together = exp(jnp.stack([small, large]))
    np.testing.assert_array_equal(together[0], exp(jnp.stack([small, small]))[0])
    np.testing.assert_allclose(together[1], sun.exp(large), atol=1e-12)


def test_exp_without_meaning_is_nan(sun: SUN, key: jax.Array) -> None:
    """Phases of 1e17 are known to 10 or worse; what has a meaning beside them stays."""
    v = algebra(sun, key)
    u = np.asarray(sun.exp(v.at[0].multiply(1e17).at[1].multiply(1e300).at[2].set(jnp.nan)))
    assert np.isnan(u[:3]).all()
    np.testing.assert_array_equal(u[3:], sun.exp(v)[3:])
    assert deviation(sun.exp(of_norm(sun, key, 1e15, F64))) < 10


@pytest.mark.parametrize("norm", [0.1, 3.0, 40.0, 1e3])
def test_derivatives_of_exp_at_any_norm(sun: SUN, key: jax.Array, norm: float) -> None:
    """Forward against the Frechet derivative, backward against forward, and second derivatives
    against differences of first ones."""
    v, w = of_norm(sun, key, norm, F64)[0], algebra(sun, key)[1]
    a = random(sun, key)[0]
    value, tangent = jax.jit(lambda v: jax.jvp(sun.exp, (v,), (w,)))(v)
    expected = scipy.linalg.expm_frechet(np.asarray(v), np.asarray(w))
    np.testing.assert_allclose(value, expected[0], atol=1e-14 * max(10, norm))
    np.testing.assert_allclose(tangent, expected[1], atol=1e-14 * max(10, norm))

    def slope(v: jax.Array) -> jax.Array:
        gradient = jax.grad(lambda v: sun.trace(sun.multiply(sun.exp(v), a)))(v)
        return jnp.sum(gradient * w).real

    np.testing.assert_allclose(slope(v), sun.trace(sun.multiply(tangent, a)), atol=1e-12)
    step = 1e-5
    numeric = (slope(v + step * w) - slope(v - step * w)) / (2 * step)
    np.testing.assert_allclose(jax.jvp(slope, (v,), (w,))[1], numeric, atol=1e-7)


def degenerate(sun: SUN, key: jax.Array) -> jax.Array:
    """An algebra element with N - 1 equal eigenvalues."""
    rotation = random(sun, key, 1)[0]
    eigenvalues = jnp.ones(sun.n).at[0].set(1 - sun.n)
    return rotation @ jnp.diag(1j * eigenvalues) @ sun.adjoint(rotation)


def test_exp_at_degenerate_eigenvalues(sun: SUN, key: jax.Array) -> None:
    """Values and derivatives, where formulas with eigenvalues divide by zero."""
    v, w = degenerate(sun, key), algebra(sun, key)[0]
    for point in (v, 30 * v, jnp.zeros_like(v)):
        expected = scipy.linalg.expm_frechet(np.asarray(point), np.asarray(w))
        value, tangent = jax.jvp(sun.exp, (point,), (w,))
        np.testing.assert_allclose(value, expected[0], atol=3e-13)
        np.testing.assert_allclose(tangent, expected[1], atol=3e-13)


def test_gradient_of_exp_at_zero(sun: SUN, key: jax.Array) -> None:
    a = random(sun, key)[0]
    zero = jnp.zeros_like(a)
    gradient = jax.grad(lambda v: sun.trace(sun.multiply(sun.exp(v), a)))(zero)
    linear = jax.grad(lambda v: sun.trace(sun.multiply(v, a)))(zero)
    np.testing.assert_allclose(gradient, linear, atol=1e-14)


def test_exp_is_a_one_parameter_group(group: Group, key: jax.Array) -> None:
    v = algebra(group, key)
    product = group.multiply(group.exp(0.3 * v), group.exp(0.7 * v))
    np.testing.assert_allclose(matrix(product), matrix(group.exp(v)), atol=1e-13)


def test_transport_is_conjugation(group: Group, key: jax.Array) -> None:
    u, v = random(group, key), algebra(group, key)
    conjugate = group.multiply(group.adjoint(u), group.multiply(group.exp(v), u))
    np.testing.assert_allclose(
        matrix(group.exp(group.transport(u, v))), matrix(conjugate), atol=1e-13
    )


def test_haar_moments(group: Group, key: jax.Array) -> None:
    """<U_ij> = 0, <|U_ij|^2> = 1/N, <|tr U|^2> = 1, <|tr U|^4> = 2 (1 for U(1)).

    Each within 5 standard errors: false alarms in all below 1e-4.
    """
    u = matrix(random(group, key, 20000))
    n = u.shape[-1]
    trace = np.abs(np.trace(u, axis1=1, axis2=2))
    moments = [
        (np.real(u).reshape(len(u), -1), 0.0),
        (np.imag(u).reshape(len(u), -1), 0.0),
        (np.abs(u).reshape(len(u), -1) ** 2, 1 / n),
        (trace[:, None] ** 2, 1.0),
        (trace[:, None] ** 4, 1.0 if n == 1 else 2.0),
    ]
    for values, exact in moments:
        error = values.std(axis=0) / np.sqrt(len(values)) + 1e-12
        assert np.abs((values.mean(axis=0) - exact) / error).max() < 5


def test_random_elements_are_in_the_group(sun: SUN, key: jax.Array) -> None:
    assert deviation(random(sun, key)) < 1e-14
    v = np.asarray(algebra(sun, key))
    np.testing.assert_allclose(v, -v.conj().swapaxes(-1, -2), atol=1e-15)
    np.testing.assert_allclose(np.trace(v, axis1=1, axis2=2), 0, atol=1e-15)


def test_generators_are_normalised(sun: SUN) -> None:
    t = sun.generators
    assert len(t) == sun.n**2 - 1
    np.testing.assert_allclose(np.einsum("aij,bji->ab", t, t), -np.eye(len(t)) / 2, atol=1e-15)
    np.testing.assert_allclose(np.trace(t, axis1=1, axis2=2), 0, atol=1e-15)


def test_momenta_are_unit_normal(group: Group, key: jax.Array) -> None:
    """Components have mean 0 and covariance 1, and <K> = dim / 2 per link.

    Every entry within 5 standard errors: false alarms in all below 3e-4.
    """
    v = algebra(group, key, 20000)
    t = jnp.asarray(generators(group), v.dtype)
    components = np.stack([inner(group, v, jnp.broadcast_to(a, v.shape)) for a in t], axis=-1)
    kinetic = np.asarray(group.kinetic_energy(v))
    np.testing.assert_allclose(kinetic, (components**2).sum(axis=-1) / 2, rtol=1e-10)
    dimension, count = len(t), len(kinetic)
    assert abs(kinetic.mean() - dimension / 2) < 5 * np.sqrt(dimension / 2 / count)
    assert np.abs(components.mean(axis=0)).max() < 5 / np.sqrt(count)
    covariance = components.T @ components / count - np.eye(dimension)
    assert np.abs(covariance / np.sqrt(1 + np.eye(dimension))).max() < 5 / np.sqrt(count)


def test_projection(group: Group, key: jax.Array) -> None:
    """Leaves the group alone, is idempotent, and moves a disturbed element back by what it was."""
    u = random(group, key)
    np.testing.assert_allclose(group.project(u), u, atol=1e-14)
    disturbed = u + 1e-3 * jax.random.normal(key, u.shape, u.dtype)
    once = group.project(disturbed)
    np.testing.assert_allclose(group.project(once), once, atol=1e-14)
    np.testing.assert_allclose(matrix(once), matrix(u), atol=2e-2)
    if isinstance(group, SUN):
        assert deviation(once) < 1e-14


def test_derivatives_are_left_derivatives(group: Group, key: jax.Array) -> None:
    """trace_gradient and left_derivative against finite differences along every generator."""
    u = random(group, key)

    def f(x: jax.Array) -> jax.Array:
        return -jnp.sum(group.trace(x))

    analytic = group.trace_gradient(u)
    automatic = group.left_derivative(u, jax.grad(f)(u))
    np.testing.assert_allclose(automatic, analytic, atol=1e-14)
    h = 1e-4
    for t in generators(group):
        direction = jnp.broadcast_to(jnp.asarray(t, u.dtype), u.shape)
        up, down = (group.multiply(group.exp(s * h * direction), u) for s in (1, -1))
        numeric = -(group.trace(up) - group.trace(down)) / (2 * h)
        np.testing.assert_allclose(inner(group, analytic, direction), numeric, atol=1e-8)


def test_second_derivatives_are_derivatives_of_components(group: Group, key: jax.Array) -> None:
    """staple_hessian, tangent, components and element: by autodiff along every generator."""
    u, *staples = (random(group, k) for k in jax.random.split(key, 4))
    a = group.sum_staples(staples, jnp.asarray(0.3))
    hessian = group.staple_hessian(u, a)
    for b, t in enumerate(generators(group)):
        along = group.tangent(u, jnp.broadcast_to(jnp.asarray(t, u.dtype), u.shape))
        derivative = jax.jvp(lambda u: group.staple_gradient(u, a), (u,), (along,))[1]
        np.testing.assert_allclose(hessian[..., b], group.components(derivative), atol=1e-14)
    v, w = (algebra(group, k) for k in jax.random.split(key))
    np.testing.assert_allclose(group.element(group.components(v)), v, atol=1e-14)
    products = jnp.sum(group.components(v) * group.components(w), axis=-1)
    np.testing.assert_allclose(products, inner(group, v, w), atol=1e-13)


@pytest.mark.parametrize("largest", [0.1, 0.9, 2.0, 10.0])
def test_exp_with_a_bound_is_exp_up_to_there(sun: SUN, key: jax.Array, largest: float) -> None:
    v = of_norm(sun, key, largest, F64)
    np.testing.assert_allclose(sun.exp(v, largest), sun.exp(v), atol=1e-14 * max(1, largest))


def test_single_precision_stays_single(group: Group, key: jax.Array) -> None:
    u, v = random(group, key, real=jnp.float32), algebra(group, key, real=jnp.float32)
    dtype = group.dtype(jnp.float32)
    results = [
        u,
        v,
        group.exp(v),
        group.project(u),
        group.multiply(u, u),
        group.transport(u, v),
        group.trace_gradient(u),
    ]
    assert {r.dtype for r in results} == {jnp.dtype(dtype)}
    assert {group.trace(u).dtype, group.kinetic_energy(v).dtype} == {jnp.dtype(jnp.float32)}
    np.testing.assert_allclose(
        matrix(group.exp(v)), matrix(group.exp(v.astype(group.dtype(F64)))), atol=1e-5
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float32, 1e-6), (jnp.float64, 2e-15)])
def test_sine_is_the_sine(dtype: jnp.dtype, tolerance: float):
    angles = jnp.linspace(-13, 13, 200_001, dtype=dtype)
    expected = np.sin(np.asarray(angles, np.float64))
    assert np.max(np.abs(np.asarray(sine(angles), np.float64) - expected)) < tolerance
