"""Every observable: names, gauge invariance, refusals; values on a field that is known."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.groups import SUN, U1
from gaugemc.lattice import gauge_transform
from gaugemc.observables import OBSERVABLES, Observable
from gaugemc.observables.charge import Charge
from gaugemc.observables.charge_squared import ChargeSquared
from gaugemc.observables.plaquette import Plaquette
from gaugemc.observables.polyakov_loop import PolyakovLoop
from gaugemc.observables.sine_charge import SineCharge
from gaugemc.observables.wilson_loop import WilsonLoop
from gaugemc.spaces import Euclidean, Links, Space

SPACES = {
    "2D U(1)": Links(U1(), (4, 6)),
    "4D SU(3)": Links(SUN(3), (2, 2, 4, 2)),
    "3D U(1)": Links(U1(), (2, 3, 4)),
    "vectors": Euclidean((3,)),
}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("name", OBSERVABLES)
def test_an_observable_is_gauge_invariant_or_refused(
    name: str, space: Space, key: jax.Array
) -> None:
    observable = OBSERVABLES[name]()
    x = space.random(key)
    if not observable.has_meaning(space):
        with pytest.raises(
            ValueError, match=f"^{name}: .*, not .*{space.name.split()[-1]}[^\\n]*$"
        ):
            observable(space, x)
        return
    value = eqx.filter_jit(observable)(space, x)
    assert value.dtype == jnp.float64
    assert np.all(np.isfinite(value))
    if isinstance(space, Links):
        omega = space.group.random(jax.random.fold_in(key, 1), space.lattice, space.dtype)
        moved = gauge_transform(space.group, x, omega)
        np.testing.assert_allclose(eqx.filter_jit(observable)(space, moved), value, atol=1e-12)


def test_names_are_those_of_the_files() -> None:
    """So that a name in a configuration says where the observable is defined."""
    for name, observable in OBSERVABLES.items():
        assert observable.__module__ == f"gaugemc.observables.{name}"
        assert observable.label


def test_values_on_a_constant_field() -> None:
    """Links a in direction 0, and in direction 1 a slope that gives every plaquette flux b."""
    a, b = 0.3, 2 * np.pi / 12
    links = jnp.zeros((2, 3, 4)).at[0].set(a).at[1].set(b * jnp.arange(3.0)[:, None])
    links = links.at[0, -1].add(-3 * b * jnp.arange(4.0))
    space = Links(U1(), (3, 4))
    along_0 = np.cos(3 * a - 3 * b * np.arange(4)).mean()
    along_1 = np.cos(4 * b * np.arange(3)).mean()
    expected: list[tuple[Observable, Any]] = [
        (Plaquette(), np.cos(b)),
        (Charge(), 1),
        (ChargeSquared(), 1),
        (SineCharge(), 12 * np.sin(b) / (2 * np.pi)),
        (PolyakovLoop(), [along_0, along_1]),
        (WilsonLoop(3, 2), np.cos(np.outer([1, 2, 3], [1, 2]) * b)),
    ]
    for observable, value in expected:
        np.testing.assert_allclose(observable(space, links), value, atol=1e-12)


def test_loops_that_do_not_fit_the_lattice_are_refused() -> None:
    space = SPACES["3D U(1)"]
    assert WilsonLoop()(space, space.origin()).shape == (1, 1)
    with pytest.raises(ValueError, match=r"^Wilson loops up to 3 x 1: .* up to 2 x 3$"):
        WilsonLoop(3, 1)(space, space.origin())
    with pytest.raises(ValueError, match=r"^Wilson loops up to 0 x 1"):
        WilsonLoop(0, 1).refuse(space)


def test_fields_of_another_shape_are_refused() -> None:
    space = SPACES["2D U(1)"]
    with pytest.raises(ValueError, match=r"use jax.vmap for many at once"):
        Plaquette()(space, jnp.zeros((5, 2, 4, 6)))
