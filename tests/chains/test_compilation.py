"""What is compiled once is compiled once: couplings and step sizes are data."""

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.chains import sample
from gaugemc.flows import NCP, gauge_flow
from gaugemc.groups import U1
from gaugemc.samplers import HMC, Compose, Heatbath, Independence, Sampler, Winding
from gaugemc.spaces import Links
from gaugemc.theories import Tempered, Theory, Wilson
from gaugemc.training import BetaSchedule, ReverseKL, optimiser, start_training, train

SPACE = Links(U1(), (4, 4))
LOWERED = "/jax/core/compile/jaxpr_to_mlir_module_duration"

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture
def lowered() -> Iterator[list[str]]:
    """The names of the programs that are made while a test runs."""
    names: list[str] = []

    def listen(event: str, duration_secs: float, **about: Any) -> None:
        if event == LOWERED:
            names.append(str(about.get("fun_name")))

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield names
    jax.monitoring.unregister_event_duration_listener(listen)


SAMPLERS: dict[str, Callable[[Theory], Sampler]] = {
    "hmc": lambda theory: HMC(theory, 0.1, 3),
    "heatbath": lambda theory: Heatbath(theory),
    "winding": lambda theory: Compose((HMC(theory, 0.1, 3), Winding(theory))),
    "flow": lambda theory: Independence(theory, flow()),
    "fthmc": lambda theory: HMC(theory.pullback(flow()), 0.1, 3),
    "tempered": lambda theory: HMC(Tempered(Wilson(SPACE, 1.0), theory.own_beta), 0.1, 3),
}


def flow() -> Any:
    return gauge_flow(jax.random.key(1), SPACE, NCP(), n_layers=2, hidden=(2,))


@pytest.mark.parametrize("name", SAMPLERS)
def test_another_beta_compiles_nothing_anew(name: str, key: jax.Array, lowered: list[str]):
    def draw(beta: float) -> np.ndarray:
        sampler = SAMPLERS[name](Wilson(SPACE, beta))
        return sample(sampler, key, chains=4, draws=3, warmup=1).draws.observables["plaquette"]

    first = draw(1.0)
    assert lowered
    lowered.clear()
    assert (draw(2.5) != first).any()
    assert lowered == []


def test_steps_and_the_force_scale_are_data(key: jax.Array, lowered: list[str]):
    theory = Wilson(SPACE, 2.0)

    def draw(*trajectory: Any) -> np.ndarray:
        samples = sample(HMC(theory, *trajectory), key, chains=4, draws=3)
        return np.asarray(samples.draws.info.delta_h)

    first = draw(0.1, 3, "omelyan", 0.5)
    lowered.clear()
    for other in ((0.2, 3, "omelyan", 0.5), (0.1, 5, "omelyan", 0.5), (0.1, 3, "omelyan", 2.0)):
        assert (draw(*other) != first).any()
    assert lowered == []


def test_another_beta_is_trained_by_the_same_program(key: jax.Array, lowered: list[str]):
    def losses(beta: float) -> float:
        rule = optimiser(1e-3, 4)
        objective = ReverseKL(Wilson(SPACE, beta), 4, BetaSchedule(beta, 4))
        ((_, metrics),) = train(objective, rule, start_training(flow(), rule), key, 4, 4)
        return float(metrics.loss[-1])

    first = losses(1.0)
    assert any("advance" in name for name in lowered)
    lowered.clear()
    assert losses(2.5) != first
    assert lowered == []


def test_the_force_is_traced_once(key: jax.Array):
    """Starts, draws, and checks of shapes share the trace."""
    traces = []

    class Counted(Wilson):
        @eqx.filter_jit
        def action(self, x: jax.Array) -> jax.Array:
            traces.append("action")
            return super().action(x)

    sample(HMC(Counted(SPACE, jnp.asarray(1.5)), 0.1, 3), key, chains=4, draws=3)
    assert traces == ["action"]
