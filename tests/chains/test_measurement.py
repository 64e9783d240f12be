"""What is measured, and on which draws: the chains stay the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.arrays import Field
from gaugemc.chains import sample
from gaugemc.chains.driver import Chunk, advance, start_chains
from gaugemc.chains.measurement import Measurement
from gaugemc.flows import Chain, Translate
from gaugemc.groups import SUN, U1
from gaugemc.observables import Observable
from gaugemc.observables.flowed_energies import FlowedEnergies
from gaugemc.observables.flowed_energy import FlowedEnergy
from gaugemc.observables.plaquette import Plaquette
from gaugemc.observables.wilson_loop import WilsonLoop
from gaugemc.samplers import HMC
from gaugemc.spaces import Links, Space
from gaugemc.theories import GradientFlow, Improved, Ring, Theory, Wilson, flow_kernel

THEORY = Wilson(Links(U1(), (4, 4)), 2.0)
CHAINS, DRAWS, WARMUP = 2, 10, 4

MEASURED: list[int] = []
"""One entry for each configuration on which `Counted` was measured."""


class Counted(Observable):
    """The first component; it says when it is measured."""

    name = "counted"
    label = "first component"

    def __call__(self, space: Space, x: Field) -> jax.Array:
        jax.debug.callback(lambda _: MEASURED.append(1), x.ravel()[0])
        return x.ravel()[0].astype(jnp.float32)


def draws(theory: Theory, key: jax.Array, measurement: Measurement) -> dict[str, np.ndarray]:
    made = sample(
        HMC(theory, 0.2, 4),
        key,
        chains=CHAINS,
        draws=DRAWS,
        warmup=WARMUP,
        measurement=measurement,
    )
    return made.draws.observables


def test_dear_observables_are_measured_on_every_third_draw_alone(key: jax.Array) -> None:
    MEASURED.clear()
    measurement = Measurement(more=(Counted(), WilsonLoop(2, 1)), every=3)
    found = draws(THEORY, key, measurement)
    jax.effects_barrier()
    usual = draws(THEORY, key, Measurement())
    due = [1, 4, 7]  # draws 6, 9 and 12 from the start, of which 4 are the warm-up
    assert len(MEASURED) == CHAINS * 4
    for name in ("charge", "plaquette"):  # leading: on every draw
        np.testing.assert_array_equal(found[name], usual[name])
    assert found["wilson_loop"].shape == (2, 10, 2, 1)
    for name in ("charge_squared", "counted", "wilson_loop"):
        measured = np.isfinite(found[name].reshape(2, 10, -1)).all(axis=(0, 2))
        np.testing.assert_array_equal(np.flatnonzero(measured), due)
    kept = measurement.kept(THEORY, found, WARMUP)
    np.testing.assert_array_equal(kept["charge_squared"], usual["charge_squared"][:, due])
    np.testing.assert_allclose(kept["wilson_loop"][..., 0, 0], usual["plaquette"][:, due])
    np.testing.assert_array_equal(kept["charge"], usual["charge"])


def test_a_theory_without_leading_observables_is_measured_on_every_third_draw(
    key: jax.Array,
) -> None:
    class Plain(Ring):
        leading = ()  # pyright: ignore

    found = draws(Plain(), key, Measurement(every=3))  # pyright: ignore
    assert {n: int(np.isfinite(v[0]).sum()) for n, v in found.items()} == dict.fromkeys(
        ("first", "first_squared", "radius"), 3
    )


def test_the_action_is_measured_on_every_draw_unless_the_plaquette_stands_for_it(
    key: jax.Array,
) -> None:
    """The action of the physical configuration, also in the variables of a flow."""
    improved = Improved(THEORY.space, 2.0, c1=-0.3)
    moved = improved.pullback(Chain((Translate((1, 0)),)))
    z = THEORY.space.random(key)
    action = improved.action(moved.configuration(z))
    np.testing.assert_allclose(moved.measure(z)["action"], action, rtol=1e-12)
    found = draws(improved, key, Measurement(every=3))
    assert np.isfinite(found["action"]).all()
    assert "action" not in THEORY.measure(z)


def test_names_choose_among_the_theorys_own(key: jax.Array) -> None:
    found = draws(THEORY, key, Measurement(names=("charge_squared",)))
    assert set(found) == {"charge", "plaquette", "charge_squared"}
    assert set(draws(THEORY, key, Measurement(names=()))) == {"charge", "plaquette"}


def test_a_pulled_back_theory_measures_the_physical_configuration(key: jax.Array) -> None:
    """Also through two flows: each is passed once."""

    class First(Observable):
        name = "first"
        label = "first link"

        def __call__(self, space: Space, x: Field) -> jax.Array:
            return x[0, 0, 0]

    moved = THEORY.pullback(Chain((Translate((1, 0)),))).pullback(Chain((Translate((0, 1)),)))
    z = THEORY.space.random(key)
    x = moved.configuration(z)
    measured = moved.measure(z, (First(), Plaquette()))
    assert measured["first"] == x[0, 0, 0] == z[0, 1, 1]
    assert measured["plaquette"] == THEORY.observables(x)["plaquette"]


def test_nothing_is_measured_on_every_zeroth_draw() -> None:
    with pytest.raises(ValueError, match=r"^every 0: must be at least 1$"):
        Measurement(every=0)


def test_observables_of_one_flow_share_the_flow(key: jax.Array) -> None:
    space = Links(SUN(2, native=False), (2, 2))
    sampler = HMC(Wilson(space, 2.0), 0.2, 4)
    flow = GradientFlow(flow_kernel(space), 0.1)
    more = tuple(kind(flow, (0.0, 0.1)) for kind in (FlowedEnergies, FlowedEnergy))

    def loops(more: tuple[Observable, ...]) -> int:
        measurement = Measurement(more=more, every=2)
        assert measurement.more == more
        chunk = Chunk(sampler, key, jnp.asarray(0), jnp.asarray(2), measurement)
        states = start_chains(sampler, key, 2)
        return advance.lower(chunk, states).compile().compiled.as_text().count(" while(")

    assert loops(()) < loops(more[:1]) == loops(more)
    lacking = (more[0], FlowedEnergy())
    assert Measurement(more=lacking).more == lacking  # and no flow is lent
