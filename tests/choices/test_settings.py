"""Settings: every absurd value is refused in one line, or can run; which are used; memory."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gaugemc.choices import memory
from gaugemc.choices.option import SettingsError
from gaugemc.choices.schema import schema, settings_of
from gaugemc.choices.theories.gauge import ACTIONS
from gaugemc.choices.traits import baseline
from gaugemc.choices.uses import flat, notice, unused, used
from gaugemc.choices.validation import validate
from gaugemc.conf.composition import composed
from gaugemc.conf.errors import one_line
from gaugemc.theories import RECTANGLES

ABSURD: list[Any] = [
    *(0, -1, 0.5, 2**31, 10**30, 1e300, float("nan"), float("inf")),
    *("", "two\nlines", None, [], {}, [-1], [10**30], ["x"]),
]
BASES = {
    "hmc": ["sampler=hmc"],
    "fthmc": ["flow=spline", "flow.n_layers=2"],
    "l2hmc": ["sampler=l2hmc", "theory=ring"],
}
CASES = [("hmc", key) for key in flat(composed(BASES["hmc"]))] + [
    (base, key)
    for base, groups in (("fthmc", ("network", "flow")), ("l2hmc", ("network", "dynamics")))
    for key in flat(composed(BASES[base]))
    if key.split(".")[0] in groups
]


@pytest.mark.parametrize(("base", "key"), CASES, ids=[f"{b}-{k}" for b, k in CASES])
def test_an_absurd_value_is_refused_in_one_line_or_valid(base: str, key: str) -> None:
    plain = OmegaConf.structured(schema())
    plain.merge_with(dataclasses.asdict(composed(BASES[base])))
    for value in ABSURD:
        try:
            config = OmegaConf.merge(plain)
            OmegaConf.update(config, key, value)
            tree = OmegaConf.to_container(config)
            validate(settings_of(tree))  # pyright: ignore[reportArgumentType]
        except SettingsError as error:
            line = str(error)
        except OmegaConfBaseException as error:
            line = one_line(error)
        else:
            continue
        assert "\n" not in line, value
        assert key.split(".")[-1] in line or line.startswith(("sampler=", "flow=")), value


@pytest.mark.parametrize(
    ("overrides", "wasted", "used"),
    [
        (
            ["sampler=hmc"],
            "flow.load network.hidden training.steps tracker.name loss.form evaluate.hmc_draws",
            "sampler.integrator evaluate.lengths sampler.tune seed theory.beta",
        ),
        (["theory=rough_well"], "native", "precision"),
        (
            ["sampler=hmc", "theory=su3_4d"],
            "evaluate.hmc_draws",
            "native",
        ),
        (
            ["sampler=hmc", "sampler.tune=false"],
            "evaluate.heatbath_draws",
            "sampler.n_steps sampler.trajectory_length evaluate.hmc_draws evaluate.lengths",
        ),
        (
            ["sampler=hmc", "sampler.tune=false", "evaluate.hmc_draws=0"],
            "evaluate.lengths evaluate.tune_draws",
            "sampler.n_steps sampler.trajectory_length",
        ),
        (
            ["sampler=fthmc"],
            "flow.bins flow.rounds flow.start dynamics.eps sampler.n_steps sampler.independence",
            "flow.components flow.bound network.hidden training.anneal_start evaluate.hmc_draws",
        ),
        (["flow=spline"], "flow.components flow.bound", "flow.bins flow.n_layers"),
        (
            ["training.objective=jump"],
            "dynamics.eps loss.plaquette_scale training.force_beta",
            "sampler.n_steps sampler.trajectory_length loss.form loss.charge_weight",
        ),
        (["training.objective=forces"], "loss.form sampler.n_steps", "training.force_beta"),
        (
            ["flow=multiscale"],
            "network.hidden flow.n_layers training.annealing training.eras",
            "flow.start flow.load training.batch sampler.force_scale",
        ),
        (["flow=stout"], "network.hidden", "flow.rectangles flow.network flow.rho"),
        (["flow=stout", "flow.network=true"], "flow.n_layers", "network.hidden"),
        (
            ["sampler=l2hmc"],
            "flow.load dynamics.bound dynamics.harmonics loss.plaquette_scale",
            "dynamics.eps loss.charge_scale network.kernel_size training.steps",
        ),
        (
            ["sampler=l2hmc", "dynamics.network=series"],
            "dynamics.bound dynamics.split_x_networks dynamics.rectangles network.hidden",
            "dynamics.harmonics dynamics.separate_networks",
        ),
        (
            ["sampler=heatbath", "evaluate.hmc_draws=0"],
            "sampler.integrator evaluate.lengths evaluate.hmc_warmup sampler.force_scale",
            "sampler.overrelaxation evaluate.draws",
        ),
        (
            ["training.schedule=plateau", "training.annealing=eras"],
            "tracker.project",
            "training.patience training.eras tracker.name",
        ),
    ],
)
def test_which_settings_are_used(overrides: list[str], wasted: str, used: str) -> None:
    found = unused(composed(overrides))
    assert set(wasted.split()) <= set(found)
    assert not set(used.split()) & set(found)


def test_four_dimensions_measure_the_flow_beside_a_rival() -> None:
    for theory in ("su2_4d", "su3_4d"):
        for sampler, rival in (("hmc", "heatbath"), ("heatbath", "hmc")):
            settings = composed([f"theory={theory}", f"sampler={sampler}"])
            validate(settings)
            assert settings.evaluate.flow_time > 1
            assert baseline(settings) == rival
            assert "polyakov_loop" in (settings.observables or [])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["theory=ring"], "evaluate.heatbath_draws=9: heatbath: needs an action of plaquettes"),
        (["theory.lattice=[13,17]"], "evaluate.heatbath_draws=9: .* or set it to 0$"),
        (["theory=su2_2d"], ""),
        (["theory=su2_2d", "evaluate.flow_time=1", "evaluate.flow_kernel=luescher"], "flow_kernel"),
        (["evaluate.flow_time=1", "evaluate.flow_step=1e-5"], "more than 1000 steps of 1e-05"),
    ],
)
def test_heatbath_and_flow_are_refused_where_there_are_none(
    overrides: list[str], message: str
) -> None:
    settings = composed(["sampler=hmc", "evaluate.heatbath_draws=9", *overrides])
    if not message:
        validate(settings)
        return
    with pytest.raises(SettingsError, match=message) as refusal:
        validate(settings)
    assert "\n" not in str(refusal.value)


def test_actions_of_settings_are_those_of_the_theory() -> None:
    assert list(ACTIONS) == list(RECTANGLES)


def test_the_notice_names_each_reason_once() -> None:
    found = unused(composed(["sampler=hmc"]), ["flow", "seed", "flow.bins", "tracker"])
    assert notice(found) == (
        "flow, flow.bins (sampler=hmc has no flow); tracker (sampler=hmc is not trained)"
    )


def test_memory_grows_with_what_is_asked() -> None:
    def needed(*overrides: str) -> dict[str, float]:
        return {d.key: d.needed for d in memory.demands(composed(list(overrides)))}

    small, large = needed("theory.lattice=[8,8]"), needed("theory.lattice=[16,8]", "chains=128")
    assert large["theory.lattice"] == 2 * small["theory.lattice"]
    assert large["chains"] == pytest.approx(4 * small["chains"])
    assert large["evaluate.draws"] == 2 * small["evaluate.draws"]
    # 18 real numbers for each of 4 links of 256 sites in float64, ten times.
    hmc = needed("theory=su3_4d", "theory.lattice=[4,4,4,4]", "sampler=hmc", "precision=fp64")
    assert hmc["theory.lattice"] == 10 * 18 * 4 * 256 * 8


def test_a_container_has_less_memory_than_its_machine(
    tmp_path: Path,
) -> None:
    machine = memory.available_memory(tmp_path)
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available_memory(tmp_path) == machine
    (tmp_path / "memory.max").write_text("123000000\n")
    assert memory.available_memory(tmp_path) == 123e6
    assert memory.readable(123e6) == "123 MB"


@pytest.mark.parametrize(
    ("overrides", "step"),
    [
        ("theory=u1_2d", 0.2),
        ("theory=su3_4d theory.lattice=[8,8,8,8]", 0.14),
        ("theory=su3_4d theory.lattice=[8,8,8,8] theory.beta=22.8", 0.07),
        ("theory=su3_4d theory.lattice=[8,8,8,8] theory.c1=-0.375", 0.07),
        ("theory=su3_4d theory.lattice=[16,16,16,16]", 0.14 / 2**0.5),
        ("theory=su2_4d theory.lattice=[8,8,8,8] theory.beta=3.8", 0.14),
        ("theory=su3_4d theory.lattice=[8,8,8,8] theory.beta=0", 0.2729),
        ("theory=su3_4d theory.action=dbw2 dynamics.eps=0.3", 0.3),
    ],
)
def test_the_step_of_a_leapfrog_follows_action_and_volume(overrides: str, step: float) -> None:
    """The root of the largest frequency squared; the eighth root of the volume. Runs keep it."""
    made = composed([*overrides.split(), "sampler=l2hmc"])
    assert used(made)["dynamics.eps"] == pytest.approx(step, abs=1e-4)
