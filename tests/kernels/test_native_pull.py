"""The compiled reverse pass of trajectories, against central differences of the trajectories."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import PyTree

from gaugemc.groups import SUN
from gaugemc.kernels import native
from gaugemc.spaces import Links

pytestmark = [
    pytest.mark.skipif(not native.kernels(3, jnp.complex128), reason="no compiled kernels here"),
    pytest.mark.usefixtures("quick_compilation"),
]

CASES = [
    pytest.param(SUN(2), (3, 4), 1, id="SU(2)"),
    pytest.param(SUN(2), (2, 3, 5), 2, id="SU(2), rectangles, odd extents"),
    pytest.param(SUN(3), (4, 2, 4, 2), 1, id="SU(3)"),
    pytest.param(SUN(3), (3, 4), 2, id="SU(3), rectangles"),
]
CHAINS = 3
KICKS = jnp.asarray([0.1, 0.3, -0.2, 0.15])
DRIFTS = jnp.asarray([0.3, -0.1, 0.4])


def pairing(a: PyTree, b: PyTree) -> jax.Array:
    """Re sum(a b): the change of a real function along b, from its gradient a."""
    return jnp.sum(
        jnp.stack([jnp.sum((x * y).real) for x, y in zip(*map(jax.tree.leaves, (a, b)))])
    )


@pytest.mark.parametrize(("group", "lattice", "loops"), CASES)
@pytest.mark.parametrize("real", [jnp.float64, jnp.float32], ids=["fp64", "fp32"])
def test_gradients(group: SUN, lattice: tuple[int, ...], loops: int, real: type, key: jax.Array):
    """By links, momenta, force, couplings, kicks and drifts, of each chain of several.

    The loss reads links, momenta and force at the end. In float32 the gradient is compared with
    differences in float64 of the same numbers.
    """
    keys = jax.random.split(key, 9)
    space, wide = Links(group, lattice, real), Links(group, lattice)

    def fields(draw: int, of: str) -> jax.Array:
        made = jax.vmap(getattr(wide, of))(jax.random.split(keys[draw], CHAINS))
        return made.astype(space.dtype)

    x, v, force = fields(0, "random"), fields(1, "random_momentum"), fields(2, "random_momentum")
    couplings = 1.5 + 0.5 * jax.random.normal(keys[3], (CHAINS, len(DRIFTS), loops))
    targets = [fields(i, "random") * (1 + 1j) for i in (4, 5, 6)]
    point = (v, force, couplings, *(jnp.stack([a] * CHAINS) for a in (KICKS, DRIFTS)))

    def loss(x: jax.Array, point: PyTree) -> jax.Array:
        return pairing(targets, jax.vmap(native.stages)(x, *point)).astype(jnp.float64)

    by_x, by_point = jax.jit(jax.grad(loss, argnums=(0, 1)))(x, point)

    along = [jax.vmap(wide.random_momentum)(jax.random.split(k, CHAINS)) for k in keys[6:9]]
    more = [jax.random.normal(jax.random.fold_in(key, i), a.shape) for i, a in enumerate(point)]
    direction = (*along[1:], *more[2:])
    x, *point = (a.astype(np.result_type(a.dtype, np.float64)) for a in (x, *point))
    targets = [a.astype(x.dtype) for a in targets]

    @jax.jit
    def at(step: jax.Array) -> jax.Array:
        moved = jax.vmap(wide.move, in_axes=(0, 0, None))(x, along[0], step)
        return loss(moved, tuple(a + step * b for a, b in zip(point, direction)))

    h = 1e-3
    steps = [at(jnp.asarray(s * h)) for s in (1, -1, 2, -2)]
    expected = (8 * (steps[0] - steps[1]) - (steps[2] - steps[3])) / (12 * h)
    found = pairing((by_x, by_point), (along[0] @ x, direction))
    assert float(found) == pytest.approx(float(expected), rel=1e-7 if real == jnp.float64 else 1e-3)


def test_numbers_of_all_chains_have_the_sum_of_their_gradients(key: jax.Array) -> None:
    space = Links(SUN(3), (2, 4))
    keys = jax.random.split(key, 3)
    x = jax.vmap(space.random)(jax.random.split(keys[0], CHAINS))
    v = jax.vmap(space.random_momentum)(jax.random.split(keys[1], CHAINS))
    couplings = jnp.full((len(DRIFTS), 1), 2.0)

    def loss(drifts: jax.Array, x: jax.Array, v: jax.Array) -> jax.Array:
        end = native.stages(x, v, v, couplings, KICKS, drifts)
        return space.kinetic_energy(end[1])

    each = jax.vmap(jax.grad(loss), in_axes=(None, 0, 0))(DRIFTS, x, v)
    total = jax.grad(lambda d: jnp.sum(jax.vmap(loss, in_axes=(None, 0, 0))(d, x, v)))(DRIFTS)
    np.testing.assert_allclose(total, each.sum(0), rtol=1e-12)
    assert len(np.unique(each[:, 0])) == CHAINS
