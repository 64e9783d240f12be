"""Every flow, one table: inverse, log-det against autodiff, gauge equivariance, volume transfer."""

import dataclasses
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from disturbed import disturbed
from jaxtyping import Array
from programs import forward, inverse

from gaugemc.flows import (
    NCP,
    Affine,
    Chain,
    CircleMap,
    Flow,
    GaugeCoupling,
    LineMap,
    LineSpline,
    Spline,
    Translate,
    flux_flow,
    gauge_flow,
    multiscale_flow,
    pair_flow,
    stout_flow,
    vector_flow,
)
from gaugemc.groups import SUN, U1
from gaugemc.kernels import apart, wrap
from gaugemc.lattice import gauge_transform, plane_plaquettes
from gaugemc.networks.stripes import PERIOD, StripeNetwork
from gaugemc.samplers import HMC, Independence
from gaugemc.spaces import Euclidean, Links, Space
from gaugemc.theories import Ring, Wilson

U1_8X8 = Links(U1(), (8, 8), jnp.float64)
U1_4X8 = Links(U1(), (4, 8), jnp.float64)
U1_6X4 = Links(U1(), (6, 4), jnp.float64)
U1_5X3 = Links(U1(), (5, 3), jnp.float64)
VECTOR = Euclidean((7,), jnp.float64)
MATRIX = Euclidean((2, 3), jnp.float64, 2.0)
NUMBER = Euclidean((1,), jnp.float64)

pytestmark = pytest.mark.usefixtures("quick_compilation")


FLOWS = {
    "ncp": (U1_8X8, lambda key: gauge_flow(key, U1_8X8, NCP(), n_layers=8)),
    "ncp of 4 terms, 4x8": (U1_4X8, lambda key: gauge_flow(key, U1_4X8, NCP(4), n_layers=8)),
    "spline": (U1_8X8, lambda key: gauge_flow(key, U1_8X8, Spline(), n_layers=8)),
    "no hidden layers": (U1_8X8, lambda key: gauge_flow(key, U1_8X8, NCP(), hidden=())),
    "kernel 5": (U1_8X8, lambda key: gauge_flow(key, U1_8X8, NCP(), n_layers=4, kernel_size=5)),
    "translate": (U1_8X8, lambda key: Chain((Translate((1, -3)),))),
    "flux": (U1_8X8, lambda key: flux_flow(key, U1_8X8, n_layers=8)),
    "flux of 2 rounds, 4x8": (U1_4X8, lambda key: flux_flow(key, U1_4X8, rounds=2, n_layers=4)),
    "pair": (U1_8X8, lambda key: pair_flow(key, U1_8X8, n_layers=8)),
    "pair, 6x4": (U1_6X4, lambda key: pair_flow(key, U1_6X4, n_layers=4, rounds=2)),
    "multiscale": (U1_8X8, lambda key: multiscale_flow(U1_8X8)),
    "multiscale, 6x4": (U1_6X4, lambda key: multiscale_flow(U1_6X4)),
    "multiscale, 5x3": (U1_5X3, lambda key: multiscale_flow(U1_5X3)),
    "stout": (U1_6X4, lambda key: stout_flow(U1_6X4, sweeps=2)),
    "affine": (VECTOR, lambda key: vector_flow(key, VECTOR, Affine())),
    "line spline": (VECTOR, lambda key: vector_flow(key, VECTOR)),
    "line spline, 2x3": (MATRIX, lambda key: vector_flow(key, MATRIX, LineSpline(3, 2.0))),
    "line spline of one number": (NUMBER, lambda key: vector_flow(key, NUMBER, n_layers=2)),
}


@pytest.fixture(params=FLOWS)
def case(request: pytest.FixtureRequest, key: Array) -> tuple[Space, Flow]:
    space, build = FLOWS[request.param]
    build_key, noise_key = jax.random.split(key)
    return space, disturbed(build(build_key), noise_key)


def distance(space: Space, a: Array, b: Array) -> float:
    return float(jnp.max(jnp.abs(wrap(a - b) if isinstance(space, Links) else a - b)))


def test_inverse_undoes_forward_and_log_dets_cancel(case: tuple[Space, Flow], key: Array):
    space, flow = case
    z = space.random(key)
    x, log_det = forward(flow, z)
    back, inverse_log_det = inverse(flow, x)
    assert distance(space, back, z) < 1e-10
    assert float(log_det + inverse_log_det) == pytest.approx(0, abs=1e-9)


def test_forward_undoes_inverse(case: tuple[Space, Flow], key: Array):
    space, flow = case
    x = space.random(key)
    z, _ = inverse(flow, x)
    assert distance(space, forward(flow, z)[0], x) < 1e-10


def test_log_det_is_that_of_the_autodiff_jacobian(case: tuple[Space, Flow], key: Array):
    space, flow = case
    z = space.random(key)
    jacobian = eqx.filter_jit(jax.jacfwd(lambda z: flow.forward(z)[0]))(z)
    sign, expected = np.linalg.slogdet(jacobian.reshape(z.size, z.size))
    assert sign == 1
    assert float(forward(flow, z)[1]) == pytest.approx(expected, abs=1e-9)


def test_shape_and_type_are_kept(case: tuple[Space, Flow], key: Array):
    space, flow = case
    x, log_det = forward(flow, space.random(key))
    assert x.shape == space.field_shape
    assert x.dtype == jnp.float64
    assert log_det.dtype == jnp.float64


@pytest.mark.parametrize("name", ["ncp", "spline", "pair", "multiscale"])
def test_flow_commutes_with_gauge_transformations(name: str, key: Array):
    flow = disturbed(FLOWS[name][1](key), key)
    z = U1_8X8.random(key)
    omega = U1().random(jax.random.fold_in(key, 1), (8, 8), jnp.float64)
    x, log_det = forward(flow, z)
    x_of_transformed, same = forward(flow, gauge_transform(U1(), z, omega))
    assert distance(U1_8X8, x_of_transformed, gauge_transform(U1(), x, omega)) < 1e-11
    assert float(log_det) == pytest.approx(float(same), abs=1e-10)


@pytest.mark.parametrize(("name", "period"), [("ncp", 4), ("spline", 4), ("flux", 4), ("pair", 2)])
def test_flow_commutes_with_translations_by_its_period(name: str, period: int, key: Array):
    flow = disturbed(FLOWS[name][1](key), key)
    z = U1_8X8.random(key)
    x, log_det = forward(flow, z)
    for axis in (1, 2):
        x_of_moved, same = forward(flow, jnp.roll(z, period, axis))
        assert distance(U1_8X8, x_of_moved, jnp.roll(x, period, axis)) < 1e-11
        assert float(log_det) == pytest.approx(float(same), abs=1e-10)


@pytest.mark.parametrize("circle", [NCP(), NCP(5), Spline(), Spline(3)], ids=repr)
class TestCircleMaps:
    def test_derivative_inverse_and_winding(self, circle: CircleMap, key: Array):
        parameters = jax.random.normal(key, (circle.n_parameters, 200))
        x = jnp.linspace(-np.pi, np.pi, 200, endpoint=False)
        y, log_derivative = circle.forward(x, parameters)
        back, inverse_log_derivative = circle.inverse(y, parameters)
        slopes = jax.vmap(jax.grad(lambda x, p: circle.forward(x, p)[0]), (0, 1))(x, parameters)
        np.testing.assert_allclose(jnp.exp(log_derivative), slopes, rtol=1e-9)
        np.testing.assert_allclose(inverse_log_derivative, log_derivative, atol=1e-8)
        assert float(jnp.max(jnp.abs(wrap(back - x)))) < 1e-11

    def test_is_a_bijection_of_the_circle(self, circle: CircleMap, key: Array):
        parameters = jax.random.normal(key, (circle.n_parameters,))
        x = jnp.linspace(-np.pi, np.pi, 1001)
        y = circle.forward(x, jnp.broadcast_to(parameters[:, None], (len(parameters), 1001)))[0]
        steps = np.asarray(wrap(jnp.diff(y)))
        assert np.all(steps > 0)
        assert steps.sum() == pytest.approx(2 * np.pi)

    def test_derivative_is_continuous_across_the_seam(self, circle: CircleMap, key: Array):
        parameters = jax.random.normal(key, (circle.n_parameters, 2))
        parameters = parameters.at[:, 1].set(parameters[:, 0])
        ends = jnp.asarray([-np.pi, np.pi * (1 - 1e-12)])
        left, right = circle.forward(ends, parameters)[1]
        assert float(left) == pytest.approx(float(right), abs=1e-8)


@partial(jax.jit, static_argnums=0)
def there_and_back(circle: CircleMap, x: Array, parameters: Array) -> tuple[Array, ...]:
    y, log_slope = circle.forward(x, parameters)
    back, inverse_log_slope = circle.inverse(y, parameters)
    source, source_log_slope = circle.inverse(x, parameters)
    image = circle.forward(source, parameters)[0]
    return y, log_slope, back, inverse_log_slope, source, source_log_slope, image


@pytest.mark.usefixtures("full_compilation")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("circle", [NCP(), Spline(), Spline(3), Spline(32)], ids=repr)
def test_circle_maps_are_inverted_to_their_rounding(
    circle: CircleMap, size: float, dtype: type, key: Array
):
    """f(f^-1(y)) = y to 24 roundings, times f' where the map is steep; f^-1(f(x)) = x to 24, over
    f' where the map is flat. Random maps, at random places and at the ends of the circle."""
    n = 2000
    parameter_key, x_key = jax.random.split(key)
    parameters = size * jax.random.normal(parameter_key, (circle.n_parameters, n), dtype)
    x = jax.random.uniform(x_key, (n,), dtype, -3.14, 3.14)
    ends = jnp.asarray([-np.pi, np.nextafter(dtype(np.pi), dtype(0)), 0.0, 1e-30], dtype)
    x = wrap(x.at[: 4 * len(ends)].set(jnp.tile(ends, 4)))

    y, log_slope, back, inverse_log_slope, source, source_log_slope, image = (
        np.asarray(a, np.float64) for a in there_and_back(circle, x, parameters)
    )
    for angles in (y, back, source, image):
        assert np.all((angles >= -np.pi) & (angles < np.pi))
    rounding = 24 * float(jnp.finfo(dtype).eps)
    missed = np.abs(wrap(jnp.asarray(image) - np.asarray(x, np.float64)))
    assert np.max(missed / np.exp(np.maximum(source_log_slope, 0))) < rounding
    moved = np.abs(wrap(jnp.asarray(back) - np.asarray(x, np.float64)))
    flat = np.exp(np.maximum(-np.minimum(log_slope, inverse_log_slope), 0))
    assert np.max(moved / flat) < rounding


@pytest.mark.parametrize("line", [Affine(), LineSpline(), LineSpline(2, 1.5)], ids=repr)
class TestLineMaps:
    def test_derivative_and_inverse(self, line: LineMap, key: Array):
        """Inside the interval of a spline and outside."""
        parameters = jax.random.normal(key, (line.n_parameters, 300))
        x = jnp.linspace(-8, 8, 300)
        y, log_derivative = line.forward(x, parameters)
        back, inverse_log_derivative = line.inverse(y, parameters)
        slopes = jax.vmap(jax.grad(lambda x, p: line.forward(x, p)[0]), (0, 1))(x, parameters)
        np.testing.assert_allclose(jnp.exp(log_derivative), slopes, rtol=1e-9)
        np.testing.assert_allclose(inverse_log_derivative, log_derivative, atol=1e-8)
        np.testing.assert_allclose(back, x, atol=1e-11)

    def test_is_increasing_and_smooth_across_its_ends(self, line: LineMap, key: Array):
        parameters = jax.random.normal(key, (line.n_parameters, 1))
        x = jnp.linspace(-8, 8, 4001)
        y = line.forward(x, jnp.broadcast_to(parameters, (len(parameters), 4001)))[0]
        assert np.all(np.diff(y) > 0)
        for end in (-5.0, -1.5, 1.5, 5.0):
            sides = jnp.asarray([end - 1e-9, end + 1e-9])
            both = jnp.broadcast_to(parameters, (len(parameters), 2))
            (below, above), (left, right) = line.forward(sides, both)
            assert float(above - below) == pytest.approx(0, abs=1e-7)
            assert float(left) == pytest.approx(float(right), abs=1e-6)

    def test_zero_is_the_identity(self, line: LineMap):
        x = jnp.linspace(-8, 8, 100)
        y, log_derivative = line.forward(x, jnp.zeros((line.n_parameters, 100)))
        np.testing.assert_allclose(y, x, atol=1e-12)
        np.testing.assert_allclose(log_derivative, 0, atol=1e-12)


@pytest.mark.parametrize("circle", [NCP(), Spline()], ids=repr)
def test_inverse_that_cannot_converge_says_so(circle: CircleMap):
    with pytest.raises(Exception, match="did not converge"):
        jax.block_until_ready(
            circle.inverse(jnp.asarray([0.3]), jnp.full((circle.n_parameters, 1), jnp.nan))
        )


def test_stripe_network_is_a_masked_circular_convolution(key: Array):
    network = disturbed_network(key)
    plaquettes = jax.random.uniform(key, (8, 12), jnp.float64, -3, 3)
    columns = jnp.arange(12) % PERIOD
    frozen = (columns == 1) | (columns == 2)
    h = jnp.where(frozen, jnp.stack([jnp.cos(plaquettes), jnp.sin(plaquettes)]), 0)
    for i, (kernel, bias) in enumerate(zip(network.kernels, network.biases)):
        padded = jnp.pad(h, ((0, 0), (1, 1), (1, 1)), mode="wrap")
        h = jax.lax.conv(padded[None], kernel, (1, 1), "VALID")[0] + bias[:, None, None]
        h = h if i == 2 else jax.nn.silu(h)
    np.testing.assert_allclose(network(apart(plaquettes, 1, PERIOD)), h[:, :, ::PERIOD], atol=1e-12)


def disturbed_network(key: Array) -> StripeNetwork:
    network = StripeNetwork(key, 5, hidden=(6, 4), dtype=jnp.float64)
    return eqx.tree_at(
        lambda n: n.biases,
        network,
        tuple(b + 0.3 * (1 + jnp.arange(b.size)) for b in network.biases),
    )


def test_seed_architecture_has_the_published_number_of_parameters(key: Array):
    flow = gauge_flow(key, U1_8X8, NCP())
    assert sum(a.size for a in jax.tree.leaves(eqx.filter(flow, eqx.is_inexact_array))) == 22920


def test_eight_layers_move_every_link_once(key: Array):
    flow = disturbed(gauge_flow(key, U1_8X8, NCP(), n_layers=8), key, 0.5)
    z = U1_8X8.random(key)
    assert bool(jnp.all(jnp.abs(wrap(forward(flow, z)[0] - z)) > 1e-9))


@pytest.mark.parametrize("name", ["ncp", "pair"])
def test_same_parameters_work_on_another_lattice(name: str, key: Array):
    """Volume transfer: on a periodic image of the lattice the flow gives the periodic image."""
    flow = disturbed(FLOWS[name][1](key), key)
    z = U1_8X8.random(key)
    x, log_det = forward(flow, z)
    large = flow.on((16, 8))
    assert (large.space, flow.space) == (Links(U1(), (16, 8)), U1_8X8)
    x_large, log_det_large = forward(large, jnp.tile(z, (1, 2, 1)))
    np.testing.assert_allclose(wrap(x_large - jnp.tile(x, (1, 2, 1))), 0, atol=1e-11)
    assert float(log_det_large) == pytest.approx(2 * float(log_det))


def test_untrained_flow_is_near_the_identity(key: Array):
    flow = gauge_flow(key, U1_8X8, NCP())
    z = U1_8X8.random(key)
    x, log_det = forward(flow, z)
    assert distance(U1_8X8, x, z) < 0.5
    assert abs(float(log_det)) < 5


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision_networks_keep_the_flow_exact(dtype: str, key: Array):
    space = Links(U1(), (8, 8), jnp.float32)
    flow = gauge_flow(key, space, NCP(), n_layers=4, compute_dtype=dtype)
    z = space.random(key)
    x, log_det = forward(flow, z)
    back, inverse_log_det = inverse(flow, x)
    assert x.dtype == jnp.float32
    assert distance(space, back, z) < 2e-2  # frozen plaquettes differ by a rounding in float16
    assert float(log_det + inverse_log_det) == pytest.approx(0, abs=2e-2)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (Links(U1(), (6, 8)), r"lattice \[6, 8\].*multiples of 4; nearest to 6: \[4, 8\]"),
        (Links(U1(), (2, 4)), r"nearest to 2: \[4, 8\]"),
        (Links(U1(), (4, 4, 4)), "needs 2D U"),
        (Links(SUN(2), (4, 4)), r"needs 2D U\(1\) links, not 2D SU\(2\)"),
    ],
    ids=str,
)
def test_spaces_that_do_not_fit_are_refused(space: Links, message: str, key: Array):
    with pytest.raises(ValueError, match=message):
        gauge_flow(key, space, NCP())


def test_vector_flows_are_for_vectors(key: Array):
    with pytest.raises(ValueError, match=r"needs R\^n, not 2D U"):
        vector_flow(key, U1_8X8)
    with pytest.raises(ValueError, match="n_layers 3"):
        vector_flow(key, VECTOR, n_layers=3)
    with pytest.raises(ValueError, match="bins 1"):
        LineSpline(1)


def test_odd_numbers_of_layers_and_even_kernels_are_refused(key: Array):
    with pytest.raises(ValueError, match="n_layers 5"):
        gauge_flow(key, U1_8X8, NCP(), n_layers=5)
    with pytest.raises(ValueError, match="kernel_size 2"):
        gauge_flow(key, U1_8X8, NCP(), kernel_size=2)


def test_plaquettes_of_frozen_columns_do_not_move(key: Array):
    coupling = disturbed(
        GaugeCoupling(U1_8X8, 0, NCP(), StripeNetwork(key, 3, dtype=jnp.float64)), key, 0.5
    )
    z = U1_8X8.random(key)
    x, _ = coupling.forward(z)
    moved = wrap(plane_plaquettes(U1(), x, 0, 1) - plane_plaquettes(U1(), z, 0, 1))
    columns = np.arange(8) % PERIOD
    assert float(jnp.max(jnp.abs(moved[:, (columns == 1) | (columns == 2)]))) < 1e-12
    assert float(jnp.min(jnp.abs(moved[:, columns == 0]))) > 1e-6


def test_chains_of_field_transformation_hmc_go_on_from_a_configuration(key: Array):
    theory = Wilson(U1_4X8, 2.0)
    flow = disturbed(gauge_flow(key, U1_4X8, NCP(), n_layers=2), key)
    pulled_back = theory.pullback(flow)
    x = theory.space.random(key)
    state = HMC(pulled_back, 0.1, 2).state(pulled_back.variable(x))
    np.testing.assert_allclose(wrap(pulled_back.configuration(state.x) - x), 0, atol=1e-10)
    np.testing.assert_allclose(theory.configuration(theory.variable(x)), x)


def test_layers_can_be_computed_again_in_the_reverse_pass(key: Array):
    """The same gradient from a quarter of the memory."""
    flow = gauge_flow(key, U1_8X8, NCP(), n_layers=32, hidden=(2,)).fixed()
    lean = eqx.tree_at(
        lambda f: f.layers[0], flow, replace_fn=lambda f: dataclasses.replace(f, remat=True)
    )
    x = U1_8X8.random(key)
    gradients, memory = [], []
    for one in (flow, lean):
        program = jax.jit(jax.grad(lambda x, f=one: f.forward(x)[1])).lower(x).compile()
        gradients.append(program(x))
        analysis = program.memory_analysis()
        assert analysis is not None
        memory.append(analysis.temp_size_in_bytes)
    np.testing.assert_allclose(*gradients, atol=1e-12)
    assert memory[1] < memory[0] / 4


def test_another_space_is_refused(key: Array):
    """In one line, where a flow is used for another lattice or another theory than its own."""
    ncp, pair = gauge_flow(key, U1_8X8, NCP(), n_layers=2), pair_flow(key, U1_8X8, n_layers=2)
    vectors, multiscale = vector_flow(key, VECTOR), multiscale_flow(U1_8X8)
    small, unitary = Links(U1(), (4, 4)), Links(SUN(2), (8, 8))
    for flow in (ncp, pair, multiscale):
        assert flow.space == U1_8X8
        on_small = r"^flow: is for 2D U\(1\) links on 8x8, not for .*: take flow.on\(\[4, 4\]\)"
        for use in (Wilson(small, 1.0).pullback, partial(Independence, Wilson(small, 1.0))):
            with pytest.raises(ValueError, match=on_small):
                use(flow)
            use(flow.on((4, 4)))
        with pytest.raises(ValueError, match=r"not for 2D SU\(2\) links on 8x8$"):
            Wilson(unitary, 1.0).pullback(flow)
        with pytest.raises(ValueError, match=r"^field of shape \[2, 4, 4\]: 2D U\(1\) links"):
            flow.forward(small.origin())
    with pytest.raises(ValueError, match=r"^lattice \[6, 6\]: stripes of period 4 need multiples"):
        ncp.on((6, 6))
    with pytest.raises(ValueError, match=r"^lattice \[5, 3\]: stripes of period 2 need multiples"):
        pair.on((5, 3))
    with pytest.raises(ValueError, match=r"^flow: is for fields of shape \[7\], not for .* \[2\]$"):
        Ring().pullback(vectors)
    assert Chain(()).space is None
    Ring().pullback(Chain(()))
