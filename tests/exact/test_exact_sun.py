"""Characters of SU(2) and SU(3), densities of blocks, and log Z."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from gaugemc.exact.sun import (
    character_coefficients,
    characters,
    irreps,
    log_partition_function,
    plaquette,
)
from gaugemc.groups import SUN


def traces(n: int, key: Array, draws: int = 100_000) -> Array:
    u = SUN(n).random(key, (draws,), jnp.complex128)
    return jnp.trace(u, axis1=-2, axis2=-1)


@pytest.mark.parametrize("n", [2, 3])
def test_characters_are_orthonormal_and_dimensions_at_the_identity(n: int, key: Array):
    small = irreps(n, 2.0, 2, 1e-4)
    np.testing.assert_allclose(
        characters(small.rows, jnp.asarray(n + 0j)), small.dimension, rtol=1e-12
    )
    chi = np.asarray(characters(small.rows, traces(n, key)))
    complex_pairs = small.rows[:, 0] != 2 * small.rows[:, 1] if n == 3 else small.rows[:, 0] < 0
    norms = np.where(complex_pairs, 0.5, 1.0)  # of the real part alone
    assert len(norms) >= 3
    np.testing.assert_allclose(np.mean(chi**2, axis=1), norms, atol=0.03)


@pytest.mark.parametrize("n", [2, 3])
def test_blocks_have_normalised_densities_and_that_of_one_plaquette_is_the_weight(
    n: int, key: Array
):
    beta = 3.0
    t = traces(n, key)
    for m in (1, 2, 4):
        sums = irreps(n, beta, m, 1e-20)
        density = jnp.tensordot(sums.coefficients(m), characters(sums.rows, t), 1)
        assert float(jnp.mean(density)) == pytest.approx(1, abs=0.03)
        assert float(jnp.var(density)) == pytest.approx(sums.coupling(m), rel=0.1)
        if m == 1:
            log_w0 = np.log(character_coefficients(n, beta)[0][-1])
            weight = jnp.exp(beta * (t.real / n - 1) - log_w0)
            np.testing.assert_allclose(density, weight, atol=1e-7)
            exact = plaquette(n, beta, 10_000)  # a large torus: independent plaquettes
            assert float(jnp.mean(density * t.real / n)) == pytest.approx(exact, abs=0.01)


def test_log_partition_function_is_the_integral_of_the_plaquette():
    h = 1e-4
    for n, beta, volume in ((2, 2.5, 12), (3, 6.0, 64)):
        up, down = (log_partition_function(n, beta + e, volume) for e in (h, -h))
        assert (up - down) / (2 * h) == pytest.approx(volume * plaquette(n, beta, volume))
        assert log_partition_function(n, 0.0, volume) == pytest.approx(0, abs=1e-12)


def test_the_trace_does_not_fix_the_class_of_su4():
    with pytest.raises(ValueError, match=r"SU\(4\): characters"):
        characters(np.zeros((1, 4), int), jnp.asarray(4 + 0j))


def test_characters_have_derivatives_everywhere():
    rows = irreps(3, 6.0, 2).rows
    slope = jax.jacfwd(lambda e: characters(rows, 3 - e + 0j))(0.0)
    assert np.all(np.isfinite(slope))
