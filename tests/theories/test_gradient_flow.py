"""The gradient flow: against MILC's program, of its order, in fixed and in adapted steps."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.groups import SUN, U1
from gaugemc.io import read_configuration
from gaugemc.lattice import gauge_transform
from gaugemc.observables.clover_charge import CloverCharge
from gaugemc.observables.energy import Energy, plane_energies
from gaugemc.observables.flowed_charge import FlowedCharge
from gaugemc.observables.flowed_energies import FlowedEnergies
from gaugemc.observables.flowed_energy import FlowedEnergy
from gaugemc.observables.flowed_t2_energy import FlowedT2Energy
from gaugemc.spaces import Links
from gaugemc.theories import (
    RECTANGLES,
    GradientFlow,
    Wilson,
    flow_kernel,
    flow_times,
    largest_step,
)

pytestmark = pytest.mark.usefixtures("quick_compilation")
MILC = Path(__file__).parents[1] / "data" / "configurations" / "milc_lat.sample.l4448"
STATED = {
    "wilson": {
        0.0: ("1.05787", "1.03094", "0.0955429"),
        0.1: ("0.790042", "0.76505", "0.0389772"),
        0.2: ("0.506125", "0.481396", "0.0166373"),
        0.3: ("0.321384", "0.294125", "0.0106751"),
        0.5: ("0.152452", "0.125636", "0.00570391"),
        0.9: ("0.0585831", "0.0404036", "0.000886915"),
    },
    "symanzik": {
        0.1: ("0.702993", "0.679487", "0.0318912"),
        0.2: ("0.3965", "0.370493", "0.0147839"),
        0.3: ("0.24165", "0.213598", "0.0106361"),
        0.5: ("0.117361", "0.0927153", "0.00433563"),
        0.9: ("0.0488672", "0.0328895", "0.00037138"),
        1.0: ("0.0419343", "0.0274275", "0.000108379"),
    },
}
"""Et, Es and Q by flow time, as MILC 7 prints them (wilson_flow/test; RK3, step 0.1, float32)."""


@pytest.mark.parametrize("kernel", STATED)
def test_flow_of_a_file_of_milc(kernel: str) -> None:
    """To every printed digit; MILC's float32 adds 1e-8 to energies, 2e-8 to charges."""
    found = read_configuration(MILC)
    theory = flow_kernel(Links(SUN(3), found.space.lattice, jnp.float64), kernel)
    flow, space = GradientFlow(theory, step=0.1), theory.space

    @eqx.filter_jit
    def measure(x: jax.Array) -> jax.Array:
        energies = plane_energies(space.group, x)
        return jnp.stack(
            [energies[jnp.array(p)].sum() for p in ([2, 4, 5], [0, 1, 3])]
            + [CloverCharge()(space, x)]
        )

    x, now = jnp.asarray(found.links, complex), 0.0
    for time, numbers in STATED[kernel].items():
        x = flow(x, time - now)
        now = time
        for value, stated, noise in zip(measure(x), numbers, (1e-8, 1e-8, 2e-8)):
            last_digit = 10.0 ** -len(stated.partition(".")[2])
            assert abs(float(value) - float(stated)) < last_digit / 2 + noise


def test_wilson_flow_to_time_1() -> None:
    """As a second program of ours, in NumPy, has the flow of the same file in steps of 0.1."""
    found = read_configuration(MILC)
    double = Links(SUN(3), found.space.lattice, jnp.float64)
    flow = GradientFlow(flow_kernel(double), step=0.1)
    space, x = flow.kernel.space, flow(jnp.asarray(found.links, complex), 1.0)
    np.testing.assert_allclose(Energy()(space, x), 0.0494271 + 0.0329675, atol=1e-7)
    np.testing.assert_allclose(CloverCharge()(space, x), 0.000479994, atol=1e-9)


SMALL = [Links(U1(), (4, 3)), Links(SUN(2), (2, 3, 2)), Links(SUN(3), (2, 2, 3, 2))]


@pytest.mark.parametrize("space", SMALL, ids=lambda s: s.name)
def test_steps_of_a_half_are_eight_times_as_exact(space: Links, key: jax.Array) -> None:
    x = space.random(key)
    kernel = flow_kernel(space)
    exact, *steps = (GradientFlow(kernel, size)(x, 0.4) for size in (0.005, 0.08, 0.04))
    errors = [float(jnp.abs(y - exact).max()) for y in steps]
    assert 6 < errors[0] / errors[1] < 11


@pytest.mark.parametrize("space", SMALL, ids=lambda s: s.name)
def test_adapted_steps_keep_the_tolerance(space: Links, key: jax.Array) -> None:
    x = space.random(key)
    kernel = flow_kernel(space)
    exact = GradientFlow(kernel, 0.005)(x, 0.8)
    errors = [
        float(jnp.abs(GradientFlow(kernel, 0.1, tolerance)(x, 0.8) - exact).max())
        for tolerance in (1e-3, 1e-6)
    ]
    assert errors[0] < 1e-2
    assert errors[1] < 1e-5
    assert errors[1] < errors[0] / 20


def test_the_flow_is_that_of_weak_fields(key: jax.Array) -> None:
    """A transverse plane wave of U(1) decays like exp(-p^2 t), p = 2 sin(pi / L)."""
    space = Links(U1(), (8, 4))
    wave = jnp.broadcast_to(1e-4 * jnp.cos(2 * jnp.pi * jnp.arange(8.0) / 8)[:, None], (8, 4))
    x = jnp.stack([jnp.zeros((8, 4)), wave])
    flowed = GradientFlow(flow_kernel(space))(x, 1.5)
    np.testing.assert_allclose(flowed, x * np.exp(-1.5 * (2 * np.sin(np.pi / 8)) ** 2), atol=1e-11)


@pytest.mark.parametrize("tolerance", [None, 1e-5], ids=["fixed", "adapted"])
def test_flow_and_gauge_transformation_commute(tolerance: float | None, key: jax.Array) -> None:
    space = SMALL[2]
    flow = GradientFlow(flow_kernel(space), 0.1, tolerance)
    x, omega = space.random(key), space.group.random(key, space.lattice, space.dtype)
    transformed = gauge_transform(space.group, flow(x, 0.5), omega)
    np.testing.assert_allclose(
        flow(gauge_transform(space.group, x, omega), 0.5), transformed, atol=1e-11
    )
    assert float(space.distance(flow(x, 0.5), space.project(flow(x, 0.5)))) < 1e-13


def test_no_time_is_no_flow_and_a_broken_field_ends(key: jax.Array) -> None:
    space = SMALL[0]
    x = space.random(key)
    for tolerance in (None, 1e-5):
        flow = GradientFlow(flow_kernel(space), 0.1, tolerance)
        np.testing.assert_array_equal(flow(x, 0.0), x)
        assert jnp.isnan(flow(x * jnp.nan, 0.5)).any()


def test_flowed_observables_are_observables_of_the_flowed_field(key: jax.Array) -> None:
    """And all of one compiled function share one flow."""
    space = SMALL[2]
    flow = GradientFlow(flow_kernel(space), 0.05)
    kinds = (FlowedEnergy, FlowedT2Energy, FlowedCharge, FlowedEnergies)
    flowed = [kind(flow, (0.0, 0.1, 0.3)) for kind in kinds]

    def measure(x: jax.Array) -> list[jax.Array]:
        return [observable(space, x) for observable in flowed]

    x = space.random(key)
    y = flow(x, 0.3)
    energy, charge = Energy()(space, y), CloverCharge()(space, y)
    together = jax.jit(measure).lower(x).compile()
    *numbers, energies = together(x)
    np.testing.assert_allclose(numbers, [energy, 0.09 * energy, charge], rtol=1e-9)
    wanted = [Energy()(space, flow(x, t)) for t in (0.0, 0.1)]
    np.testing.assert_allclose(energies, [*wanted, energy], rtol=1e-9)
    alone = jax.jit(lambda x: flowed[0](space, x)).lower(x).compile()
    loops = [str(program.as_text()).count(" while(") for program in (alone, together)]
    assert loops[0] == loops[1] > 0


def test_the_flow_has_the_precision_of_its_space(key: jax.Array) -> None:
    """In float32 E differs by some roundings of float32."""
    single, double = (Links(SUN(3), (4, 4, 4, 4), real) for real in (jnp.float32, jnp.float64))
    x = single.random(key)
    flowed = [GradientFlow(flow_kernel(space), 0.1)(x, 1.0) for space in (single, double)]
    assert [y.dtype for y in flowed] == [jnp.complex64, jnp.complex128]
    energies = [float(Energy()(s, y)) for s, y in zip((single, double), flowed, strict=True)]
    assert energies[0] == pytest.approx(energies[1], rel=1e-5)


@pytest.mark.parametrize("kernel", RECTANGLES)
@pytest.mark.parametrize("lattice", [(4, 4), (4, 4, 4, 4)])
def test_longer_steps_than_the_largest_make_waves_grow(
    lattice: tuple[int, ...], kernel: str, key: jax.Array
) -> None:
    """The wave of alternating signs, which no direction lacks, from a small field."""
    space = Links(U1(), lattice, jnp.float64)
    signs = (-1) ** np.indices(lattice).sum(axis=0)
    wave = 1e-6 * jnp.stack([signs * (-1) ** mu for mu in range(len(lattice))])
    step = largest_step(space, kernel)
    for share, grows in ((0.99, False), (1.01, True)):
        flow = GradientFlow(flow_kernel(space, kernel), share * step)
        size = float(jnp.abs(flow.in_steps(wave, 50)).max())
        assert (size > 1e-6) == grows


def test_steps_are_stable_where_none_are_given() -> None:
    space = Links(SUN(3), (2, 2, 2, 2), jnp.float64)
    for kernel, step in (("wilson", 0.02), ("dbw2", largest_step(space, "dbw2"))):
        assert float(GradientFlow(flow_kernel(space, kernel)).step) == pytest.approx(step)
    assert float(GradientFlow(Wilson(space, 600.0)).step) == pytest.approx(0.0015687, rel=1e-3)


def test_what_makes_no_flow_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^kernel 'luescher': choose one of wilson"):
        flow_kernel(SMALL[0], "luescher")
    with pytest.raises(ValueError, match=r"^step 0: must be positive and finite$"):
        GradientFlow(flow_kernel(SMALL[0]), 0)
    with pytest.raises(ValueError, match=r"^tolerance 1e-17: must be at least 1e-12$"):
        GradientFlow(flow_kernel(SMALL[0]), 0.1, 1e-17)
    for time in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match=r"^flow time .*: must be finite and not negative$"):
            GradientFlow(flow_kernel(SMALL[0]))(SMALL[0].origin(), time)


def test_a_tolerance_that_no_step_keeps_ends_in_nan(key: jax.Array) -> None:
    """Where the tolerance is data, it cannot be refused."""
    space = SMALL[0]
    flow = GradientFlow(flow_kernel(space), 0.1, 1e-6)
    hopeless = eqx.tree_at(lambda flow: flow.tolerance, flow, jnp.asarray(1e-40))
    assert np.isnan(hopeless(space.random(key), 0.5)).all()


@pytest.mark.parametrize(
    ("time", "step", "times"),
    [
        (0.0, 0.1, [0.0]),
        (0.3, 0.1, [0.0, 0.1, 0.2, 0.3]),
        (0.05, 0.1, [0.0, 0.05]),
        (1e-300, 0.1, [0.0, 1e-300]),
    ],
)
def test_a_flow_is_measured_from_its_start_to_its_end(
    time: float, step: float, times: list[float]
) -> None:
    np.testing.assert_allclose(flow_times(time, step), times, rtol=1e-15)
