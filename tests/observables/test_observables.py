"""Every observable: names, gauge invariance, refusals; values on a field that is known."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.groups import SUN, U1
from gaugemc.lattice import gauge_transform, planes
from gaugemc.observables import OBSERVABLES, Observable
from gaugemc.observables.charge import Charge
from gaugemc.observables.charge_squared import ChargeSquared
from gaugemc.observables.clover_charge import CloverCharge
from gaugemc.observables.energy import Energy
from gaugemc.observables.plaquette import Plaquette
from gaugemc.observables.polyakov_loop import PolyakovLoop
from gaugemc.observables.polyakov_loop_imaginary import PolyakovLoopImaginary
from gaugemc.observables.rectangle import Rectangle
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


def path(u: np.ndarray, site: tuple[int, ...], steps: list[int]) -> np.ndarray:
    """The product of links along steps: k is direction k - 1 forward, -k backward. In NumPy."""
    product, here, extents = np.eye(u.shape[-1], dtype=complex), np.array(site), u.shape[1:-2]
    for step in steps:
        mu = abs(step) - 1
        if step < 0:
            here[mu] -= 1
        link = u[(mu, *(here % extents))]
        product = product @ (link if step > 0 else link.conj().T)
        if step > 0:
            here[mu] += 1
    return product


def clover(u: np.ndarray, site: tuple[int, ...], mu: int, nu: int) -> np.ndarray:
    """F_mu nu from four leaves, each walked link by link."""
    m, n = mu + 1, nu + 1
    leaves = [[m, n, -m, -n], [n, -m, -n, m], [-m, -n, m, n], [-n, m, n, -m]]
    q = np.sum([path(u, site, leaf) for leaf in leaves], axis=0)
    f = (q - q.conj().T) / 8
    return f - np.trace(f) / len(f) * np.eye(len(f))


@pytest.mark.parametrize("group", [SUN(2), SUN(3)], ids=lambda g: g.name)
def test_values_against_a_walk_link_by_link(group: SUN, key: jax.Array) -> None:
    """Clover, rectangle and Polyakov loops of a random field; x, y, z, t in this order."""
    space = Links(group, (2, 3, 2, 2))
    x = space.random(key)
    u = np.asarray(x)
    sites = list(np.ndindex(*space.lattice))
    energy = charge = rectangles = 0.0
    for s in sites:
        f = {(m, n): clover(u, s, m, n) for m, n in planes(4)}
        energy -= sum(np.trace(g @ g).real for g in f.values())
        dual = f[0, 1] @ f[2, 3] - f[0, 2] @ f[1, 3] + f[0, 3] @ f[1, 2]
        charge -= np.trace(dual).real / (4 * np.pi**2)
        for m, n in f:
            for walk in ([m, m, n, ~m, ~m, ~n], [m, n, n, ~m, ~n, ~n]):
                steps = [mu + 1 if mu >= 0 else mu for mu in walk]
                rectangles += np.trace(path(u, s, steps)).real / group.n
    np.testing.assert_allclose(Energy()(space, x), energy / len(sites), rtol=1e-12)
    np.testing.assert_allclose(CloverCharge()(space, x), charge, rtol=1e-10)
    np.testing.assert_allclose(Rectangle()(space, x), rectangles / (12 * len(sites)), atol=1e-13)
    if group.n > 2:
        loops = [np.trace(path(u, s, [2, 2, 2])).imag / 3 for s in sites]
        found = PolyakovLoopImaginary()(space, x)
        np.testing.assert_allclose(found[1], np.mean(loops), atol=1e-13)


def test_energy_of_a_constant_flux() -> None:
    """U(1) with the flux b in every plaquette: F = sin b, and E = F^2 / 2."""
    b = 2 * np.pi / 16
    links = jnp.zeros((2, 4, 4)).at[1].set(b * jnp.arange(4.0)[:, None])
    links = links.at[0, -1].add(-4 * b * jnp.arange(4.0))
    np.testing.assert_allclose(Energy()(Links(U1(), (4, 4)), links), np.sin(b) ** 2 / 2)
