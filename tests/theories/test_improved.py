"""Actions with rectangles. (Forces and gauge invariance: the table of test_theories.py.)"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.exact.solved import exact_observables
from gaugemc.groups import SUN, U1
from gaugemc.samplers import ExactU1
from gaugemc.spaces import Links
from gaugemc.theories import RECTANGLES, Improved, Tempered, Wilson


@pytest.mark.parametrize("group", [U1(), SUN(3)], ids=lambda group: group.name)
def test_without_rectangles_it_is_wilsons(group, key: jax.Array):
    space = Links(group, (3, 2, 2))
    x = space.random(key)
    wilson, limit, near = (
        Wilson(space, 2.0),
        Improved(space, 2.0, c1=0),
        Improved(space, 2, c1=1e-9),
    )
    for name in ("action", "force"):
        plain, same, close = (getattr(theory, name)(x) for theory in (wilson, limit, near))
        np.testing.assert_allclose(same, plain, atol=1e-13)
        np.testing.assert_allclose(close, plain, atol=1e-6)
        assert np.any(close != plain)


@pytest.mark.parametrize("c1", [*RECTANGLES.values(), 0.2])
def test_action_of_a_constant_flux(c1: float):
    """Each plaquette has the flux phi, and each rectangle 2 phi: V and 2 V of them in a plane."""
    phi = 2 * np.pi / 16
    n = jnp.arange(4.0)
    along_1 = jnp.broadcast_to(phi * n[:, None], (4, 4))
    along_0 = jnp.zeros((4, 4)).at[-1].set(-4 * phi * n)
    theory = Improved(Links(U1(), (4, 4)), 1.5, c1=c1)
    loops = (1 - 8 * c1) * 16 * np.cos(phi) + c1 * 32 * np.cos(2 * phi)
    np.testing.assert_allclose(theory.action(jnp.stack([along_0, along_1])), -1.5 * loops)


def test_small_fields_have_the_continuum_action():
    """c0 + 8 c1 = 1: a weak and smooth field has nearly Wilson's action at every c1."""
    space = Links(U1(), (64, 2))
    n = jnp.arange(64.0)
    wave = 1e-3 * jnp.sin(2 * np.pi * n / 64)[:, None] * jnp.ones((64, 2))
    x = jnp.stack([jnp.zeros((64, 2)), wave])
    energies = []
    for c1 in RECTANGLES.values():
        theory = Improved(space, 1.0, c1=c1)
        energies.append(float(theory.action(x) - theory.action(space.origin())))
    np.testing.assert_allclose(energies, energies[0], rtol=0.05)
    assert energies[0] > 0


def test_beta_is_data_and_nothing_is_known_exactly():
    theory = Improved(Links(U1(), (4, 4)), 2.0, c1=-0.331)
    assert theory.wilson_beta is None
    assert exact_observables(theory) == {}
    assert (
        Tempered(theory, 0.5).loop_couplings == Improved(theory.space, 1, c1=-0.331).loop_couplings
    )
    x = theory.space.random(jax.random.key(1))
    half = eqx.filter_jit(lambda beta: theory.at(beta).action(x))(1.0)
    np.testing.assert_allclose(half, theory.action(x) / 2)
    with pytest.raises(ValueError, match="exact sampler: needs Wilson's action, not that of 2D U"):
        ExactU1(theory)


@pytest.mark.parametrize("c1", [float("nan"), float("inf")])
def test_impossible_c1_is_refused(c1: float):
    with pytest.raises(ValueError, match=r"c1 (nan|inf): must be a finite number"):
        Improved(Links(U1(), (4, 4)), 1.0, c1=c1)
