"""The compiled heatbath and overrelaxation against XLA's code for the same."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_native import ACTIONS, SHAPES, plain, pytestmark  # noqa: F401

from gaugemc.groups import SUN
from gaugemc.samplers.heatbath import Heatbath, HeatbathState
from gaugemc.spaces import Links
from gaugemc.theories import Improved, Wilson

MATRICES = {name: shape for name, shape in SHAPES.items() if isinstance(shape[0], SUN)}
LATTICES = MATRICES | {
    "odd extents": (SUN(3), (3, 9, 3), 1, jnp.float64),  # three colours
    "prime extents": (SUN(2), (11, 22), 1, jnp.float64),  # eleven and two
    "odd extents of blocks": (SUN(3), (6, 2, 6), 2, jnp.float64),
    "weak coupling": (SUN(3), (4, 8), 5, jnp.float64),
    "rectangles": (SUN(3), (4, 4, 4, 8), 2, jnp.float64),
    "rectangles, float32": (SUN(2), (4, 8, 4), 3, jnp.float32),
    "rectangles, odd extents": (SUN(3), (5, 10), 2, jnp.float64),
}


def steps(
    space: Links,
    key: jax.Array,
    x: jax.Array,
    beta: jax.Array,
    overrelaxation: int,
    action: Callable[[Links, jax.Array], Wilson] = Wilson,
) -> jax.Array:
    """The next draw of all chains, each with a beta of its own."""

    def step(key: jax.Array, x: jax.Array, beta: jax.Array) -> jax.Array:
        sampler = Heatbath(action(space, beta), overrelaxation)
        return sampler.step(key, HeatbathState(x))[0].x

    keys = jax.random.split(key, len(x))
    return jax.jit(jax.vmap(step))(keys, x, beta)


def smooth(space: Links, key: jax.Array, chains: int) -> jax.Array:
    """Links near 1. Reflections amplify rounding where staples nearly cancel: here none do."""
    v = jax.vmap(space.random_momentum)(jax.random.split(key, chains))
    return jax.jit(jax.vmap(lambda v: space.move(space.origin(), v, 0.2)))(v)


@pytest.mark.parametrize("shape", LATTICES)
def test_the_same_key_makes_the_same_links(shape: str, key: jax.Array) -> None:
    group, lattice, n, real = LATTICES[shape]
    space = Links(group, lattice, real)
    x = smooth(space, key, n)
    beta = jnp.linspace(0.0, 1.0, n) if shape == "weak coupling" else jnp.linspace(4.0, 12.0, n)
    action = functools.partial(Improved, c1=-0.331) if "rectangles" in shape else Wilson
    ours, theirs = (steps(s, key, x, beta, 1, action) for s in (space, plain(space)))
    assert ours.dtype == x.dtype
    assert float(jnp.mean(jnp.abs(ours - x))) > 0.1
    np.testing.assert_allclose(ours, theirs, atol=1000 * float(jnp.finfo(real).eps))


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_reflections_keep_the_action(
    action: Callable[[Links, jax.Array], Wilson], key: jax.Array
) -> None:
    space = Links(SUN(3), (4, 8, 4))
    x = jax.vmap(space.random)(jax.random.split(key, 2))
    beta = jnp.asarray([0.5, 6.0])
    drawn, reflected = (steps(space, key, x, beta, n, action) for n in (0, 5))
    actions = jax.vmap(lambda x, beta: action(space, beta).action(x))
    np.testing.assert_allclose(actions(reflected, beta), actions(drawn, beta), rtol=1e-12)
    assert float(jnp.mean(jnp.abs(reflected - drawn))) > 0.3


@pytest.mark.parametrize("n", [2, 3])
def test_links_stay_in_the_group(n: int, key: jax.Array) -> None:
    """10^4 heatbath updates of every link."""
    sampler = Heatbath(Wilson(Links(SUN(n), (2, 4)), 6.0))

    def step(i: jax.Array, state: HeatbathState) -> HeatbathState:
        return sampler.step(jax.random.fold_in(key, i), state)[0]

    start = sampler.init(key, hot=False)
    x = jax.jit(lambda start: jax.lax.fori_loop(0, 10_000, step, start))(start).x
    unit = jnp.einsum("...ij,...kj->...ik", x, x.conj())
    np.testing.assert_allclose(unit, jnp.broadcast_to(jnp.eye(n), unit.shape), atol=1e-13)
    np.testing.assert_allclose(jnp.linalg.det(x), 1, atol=1e-13)


def test_other_generators_run_the_twin(key: jax.Array) -> None:
    """Kernels know the numbers of Threefry keys alone."""
    space = Links(SUN(2), (4, 4))
    for other in (jax.random.key(7, impl="rbg"), key):
        sampler = Heatbath(Wilson(space, 2.0), 1)
        start = sampler.init(key)
        theirs = sampler.sweeps(other, start.x)
        ours = sampler.step(other, start)[0].x
        assert bool(jnp.all(ours == theirs)) == (other is not key)
        np.testing.assert_allclose(ours, theirs, atol=1e-10)


def test_links_that_are_not_a_number_stay_in_their_chain(key: jax.Array) -> None:
    space = Links(SUN(3), (2, 2))
    x = jax.vmap(space.random)(jax.random.split(key, 8)).at[3, 0, 0, 0, 0, 0].set(jnp.nan)
    end = steps(space, key, x, jnp.full(8, 6.0), 1)
    np.testing.assert_array_equal(jnp.any(jnp.isnan(end), axis=range(1, 6)), jnp.arange(8) == 3)


def test_links_of_another_lattice_are_refused(key: jax.Array) -> None:
    small, large = (Wilson(Links(SUN(2), (n, n)), 2.0) for n in (4, 6))
    with pytest.raises(ValueError, match="links on 16 sites, colours of 36: must be as many"):
        Heatbath(large).step(key, HeatbathState(small.space.origin()))
