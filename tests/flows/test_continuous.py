"""The continuous flow of SU(N): Laplacians, steps, log-det, inverse, symmetries, training."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from disturbed import disturbed
from jaxtyping import Array
from map_properties import assert_commutes, assert_undone, dense_error, gauge_change
from programs import forward, inverse

import gaugemc as gm
from gaugemc.checks.tangent import basis
from gaugemc.exact import log_partition_function
from gaugemc.flows import Continuous, continuous_flow
from gaugemc.flows.continuous.loops import potential
from gaugemc.flows.continuous.words import terms
from gaugemc.groups import SUN, U1
from gaugemc.spaces import Links
from gaugemc.theories import Wilson
from gaugemc.training import quality

pytestmark = pytest.mark.usefixtures("quick_compilation")

GROUPS = [SUN(2), SUN(3)]
SU2 = Links(SUN(2), (3, 3))


def far(space: Links, key: Array, steps: int = 4) -> Continuous:
    """A flow far from the identity."""
    return disturbed(continuous_flow(space, steps=steps), key, 0.25)


@pytest.mark.parametrize(("group", "degree"), [(SUN(2), 3), (SUN(3), 2)], ids=["SU(2)", "SU(3)"])
def test_laplacians_of_loops_are_second_derivatives(group: SUN, degree: int, key: Array):
    space = Links(group, (3, 3))
    x = space.random(key)
    count = len(terms(degree))
    assert count == {2: 8, 3: 24}[degree]
    coefficients = jax.random.normal(key, (count,))

    def second(momentum: Array) -> Array:
        def along(e: Array) -> Array:
            moved = space.move(x, momentum, e)
            return potential(group, moved, degree, coefficients)[0]

        def first(e: Array) -> Array:
            return jax.jvp(along, (e,), (jnp.ones(()),))[1]

        return jax.jvp(first, (jnp.zeros(()),), (jnp.ones(()),))[1]

    # Momenta of the basis have the length of sqrt(2) generators.
    dense = jax.jit(lambda momenta: jnp.sum(jax.lax.map(second, momenta)) / 2)
    expected = float(dense(jnp.asarray(basis(space))))
    found = float(potential(group, x, degree, coefficients)[1])
    assert abs(expected) > 1
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_log_det_is_that_of_the_dense_autodiff_jacobian(group: SUN, key: Array):
    space = Links(group, (3, 3))
    flow, z = far(space, key), space.random(key)
    assert dense_error(flow, space, z) < 1e-7
    assert abs(float(forward(flow, z)[1])) > 0.5


def test_steps_are_of_order_eight(key: Array):
    z = SU2.random(key)
    exact, exact_log_det = forward(far(SU2, key, 12), z)
    errors = []
    for steps in (3, 6):
        x, log_det = forward(far(SU2, key, steps), z)
        errors.append([float(SU2.distance(exact, x)), abs(float(log_det - exact_log_det))])
    orders = np.log2(np.divide(*errors))
    assert np.all(orders > 7), (errors, orders)
    assert np.all(np.asarray(errors[0]) < 1e-2)


def test_inverse_undoes_forward_to_rounding_also_in_its_derivative(key: Array):
    flow, z = far(SU2, key), SU2.random(key)
    assert_undone(flow, SU2, z, moved=0.1, links=1e-13, log=1e-12)
    v = SU2.random_momentum(key)

    @eqx.filter_jit
    def there_and_back(flow: Continuous, v: Array) -> Array:
        def along(e: Array) -> Array:
            return flow.inverse(flow.forward(SU2.move(z, v, e))[0])[0]

        return jax.jvp(along, (jnp.zeros(()),), (jnp.ones(()),))[1]

    np.testing.assert_allclose(there_and_back(flow, v), SU2.group.tangent(z, v), atol=1e-12)


def test_too_few_steps_for_an_inverse_say_so(key: Array):
    flow = disturbed(continuous_flow(SU2, steps=1), key, 5.0)
    with pytest.raises(RuntimeError, match=r"misses by more than .* in 1 steps: take more"):
        jax.block_until_ready(inverse(flow, SU2.random(key)))


def test_flow_commutes_with_all_symmetries(key: Array):
    changes = (
        gauge_change(SU2, key),
        lambda field: jnp.roll(field, (1, 2), (1, 2)),
        lambda field: jnp.swapaxes(field[::-1], 1, 2),  # a reflection
        jnp.conj,
    )
    assert_commutes(far(SU2, key), SU2, SU2.random(key), changes, log=1e-11)


def test_same_coefficients_work_on_another_lattice(key: Array):
    """Volume transfer: on a periodic image of the lattice the flow gives the periodic image."""
    flow, z = far(SU2, key), SU2.random(key)
    x, log_det = forward(flow, z)
    large = flow.on((6, 3))
    x_large, log_det_large = forward(large, jnp.tile(z, (1, 2, 1, 1, 1)))
    np.testing.assert_allclose(x_large, jnp.tile(x, (1, 2, 1, 1, 1)), atol=1e-12)
    assert float(log_det_large) == pytest.approx(2 * float(log_det))
    assert eqx.tree_equal(large.on((3, 3)), flow)


def test_float32_keeps_links_in_their_group_and_comes_back(key: Array):
    space = Links(SUN(3), (3, 3), jnp.float32)
    flow, z = far(space, key, 2), space.random(key)
    x, log_det = forward(flow, z)
    assert (x.dtype, log_det.dtype) == (jnp.complex64, jnp.float64)
    assert float(space.distance(x, space.project(x))) < 1e-6
    assert float(space.distance(z, inverse(flow, x)[0])) < 1e-4


def test_a_short_training_makes_a_good_flow(key: Array):
    theory = Wilson(Links(SUN(2), (4, 4), jnp.float32), 2.2)
    log_z = log_partition_function(theory)
    start = continuous_flow(theory.space, degree=1, steps=1)
    flow, metrics = gm.fit(start, theory, key, steps=60, batch=16, learning_rate=0.05, chunk=60)
    assert metrics.loss[0] + log_z > 5
    measured = quality(flow, theory, key, samples=512, log_partition=log_z)
    assert measured.kl is not None
    assert -0.1 < measured.kl < 0.6


def test_other_theories_and_numbers_are_refused():
    for other in (Links(U1(), (4, 4)), Links(SUN(2), (4, 4, 4))):
        with pytest.raises(ValueError, match=r"needs links of 2D SU\(N\), not"):
            continuous_flow(other)
    with pytest.raises(ValueError, match=r"lattice \[4, 2\]: has 2 sites .* need 3 or more"):
        continuous_flow(Links(SUN(2), (4, 2)))
    with pytest.raises(ValueError, match="degree 4: choose 1, 2 or 3"):
        continuous_flow(SU2, degree=4)
    for name in ("powers", "steps"):
        with pytest.raises(ValueError, match=f"{name} 0: must be positive"):
            continuous_flow(SU2, **{name: 0})
