"""The compiled spline of the multiscale flow against XLA's code for the same."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.typing import DTypeLike

from gaugemc.flows import multiscale_flow
from gaugemc.flows.circle.knots import CORE, N_ANGLES, TAIL
from gaugemc.flows.multiscale.split import Split
from gaugemc.flows.multiscale.split_table import N_FLUXES, Reads, with_derivatives
from gaugemc.groups import U1
from gaugemc.kernels import native
from gaugemc.spaces import Links

pytestmark = pytest.mark.skipif(
    not native.kernels(1, jnp.float64), reason="no compiled kernels here"
)


compiled = functools.partial(native.spline, tail=TAIL, core=CORE)


def reads(key: jax.Array, real: DTypeLike = jnp.float64) -> Reads:
    """The table of a split that is far from the identity."""
    return Split(jax.random.normal(key, (N_FLUXES, N_ANGLES), real)).table().reads


def places(key: jax.Array, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """Angles, also close to pi, and fluxes of several turns."""
    angle, closer, flux = jax.random.uniform(key, (3, *shape), minval=-1, maxval=1)
    near = jnp.where(closer > 0, angle, jnp.sign(angle) * (1 - jnp.abs(angle) ** 5))
    return np.pi * near, 10 * flux


def test_an_element_and_its_derivatives(key: jax.Array) -> None:
    table = reads(key)
    for shape in ((1, 1), (63,), (65, 1), (3, 1000)):
        ours, theirs = (f(table, *places(key, shape)) for f in (compiled, with_derivatives))
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-9)
    ends = jnp.asarray([-np.pi, np.pi, 0.0]), jnp.asarray([np.pi, -np.pi, 0.0])
    for mine, other in zip(compiled(table, *ends), with_derivatives(table, *ends), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-9)


def test_float32_is_as_exact_as_that_of_the_twin(key: jax.Array) -> None:
    single = reads(key, jnp.float32)
    angle, flux = (a.astype(jnp.float32) for a in places(key, (5000,)))
    exact = with_derivatives(*(a.astype(jnp.float64) for a in (single, angle, flux)))
    for mine, other, right in zip(
        compiled(single, angle, flux), with_derivatives(single, angle, flux), exact, strict=True
    ):
        assert mine.dtype == jnp.float32
        errors = (np.sqrt(np.mean(np.square(one - right))) for one in (mine, other))
        assert next(errors) <= 1.5 * next(errors)


def test_chains_and_tables_may_be_many(key: jax.Array) -> None:
    """Each of the three may be one for all or one for each."""
    tables = jnp.stack([reads(k) for k in jax.random.split(key, 3)])
    angle, flux = places(key, (3, 5, 7))
    arguments = tables, angle, flux
    for many in ((0, 0, 0), (None, 0, 0), (None, None, 0), (None, 0, None), (0, None, None)):
        given = [a if there == 0 else a[0] for a, there in zip(arguments, many)]
        ours, theirs = (jax.jit(jax.vmap(f, many))(*given) for f in (compiled, with_derivatives))
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-9)


def test_what_is_no_number_is_nan_alone(key: jax.Array) -> None:
    angle, flux = places(key, (100,))
    angle, flux = angle.at[3].set(jnp.nan), flux.at[70].set(jnp.nan).at[71].set(jnp.inf)
    for one in compiled(reads(key), angle, flux):
        np.testing.assert_array_equal(np.flatnonzero(~np.isfinite(one)), [3, 70, 71])


def test_derivatives_of_a_flow_are_those_of_the_twin(key: jax.Array) -> None:
    """The gradient, with the kernel, and its own derivative, which is the twin's."""
    space = Links(U1(), (4, 6))
    x, direction = (space.random(k) for k in jax.random.split(key))

    def both(flow):
        def density(x):
            physical, log_det = flow.fixed().forward(x)
            return log_det + jnp.sum(jnp.cos(physical) * direction)

        gradient = jax.grad(density)
        program = jax.jit(lambda x: (gradient(x), jax.jvp(gradient, (x,), (direction,))))
        return program.lower(x).as_text().count("gaugemc_spline"), program(x)

    flows = (multiscale_flow(Links(group, (4, 6))) for group in (U1(), U1(native=False)))
    (kernels, ours), (none, theirs) = map(both, flows)
    assert kernels > none == 0
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-7, atol=1e-9), ours, theirs)
