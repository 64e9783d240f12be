"""Runs that measure what they are asked: settings, summary, report, going on."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from gaugemc.choices.build import build_theory
from gaugemc.choices.measuring import build_tuning_measurement, judged
from gaugemc.choices.settings import Settings, SettingsError
from gaugemc.choices.validation import validate
from gaugemc.conf.composition import composed
from gaugemc.io.ensemble import read_draws
from gaugemc.run.experiment import run
from gaugemc.run.extension import with_overrides
from gaugemc.statistics import estimate

TINY = [
    "mode=debug",
    "sampler=hmc",
    "theory.lattice=[4,4]",
    "chains=4",
    "progress=false",
    "evaluate.draws=24",
    "evaluate.warmup=4",
    "evaluate.tune_iterations=2",
    "evaluate.tune_draws=4",
    "evaluate.timing_rounds=1",
]
ASKED = ["observables=[plaquette,polyakov_loop,wilson_loop]", "evaluate.measure_every=3"]


def settings(*overrides: str) -> Settings:
    return composed([*TINY, *overrides])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "finished"
    run(settings(*ASKED), path)
    return path


def test_summary_and_report_have_every_number(finished: Path) -> None:
    draws, attributes = read_draws(finished / "chains/evaluate.h5")
    assert attributes["measure_every"] == 3
    assert draws.observables["wilson_loop"].shape == (4, 24, 2, 2)
    found = json.loads((finished / "summary.json").read_text())["evaluate"]
    assert list(found["observables"]) == list(found["r_hat"])
    assert list(found["observables"]) == [
        *("charge", "plaquette", "polyakov_loop[0]", "polyakov_loop[1]"),
        *("wilson_loop[0,0]", "wilson_loop[0,1]", "wilson_loop[1,0]", "wilson_loop[1,1]"),
    ]
    measured = draws.observables["wilson_loop"][:, 1::3, 1, 0]  # the draws 6, 9, ... from the start
    assert measured.shape == (4, 8)
    wanted, got = estimate(measured), found["observables"]["wilson_loop[1,0]"]
    assert (got["mean"], got["error"]) == (wanted.mean, wanted.error)
    assert got["tau_int"] == 3 * wanted.tau_int
    page = re.sub(r"<[^>]+>", " ", (finished / "report.html").read_text())
    assert "Wilson loop, 4 entries" in page
    assert "Wilson loop (2, 1)" in page
    assert "Polyakov loop[1]" in page


def test_a_run_goes_on_with_arrays(finished: Path, tmp_path: Path) -> None:
    run(settings(*ASKED, "evaluate.draws=9"), tmp_path)
    run(settings(*ASKED), tmp_path, extend=True)
    whole, longer = (read_draws(path / "chains/evaluate.h5")[0] for path in (finished, tmp_path))
    for name, values in whole.observables.items():
        np.testing.assert_array_equal(longer.observables[name], values)


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        (["theory=su3_4d"], ["flowed_energy", "flowed_charge", "plaquette"]),
        (["theory=su3_4d", "evaluate.flow_time=0"], ["plaquette"]),
        (["theory=u1_2d", "evaluate.flow_time=0.1"], ["charge", "flowed_energy", "plaquette"]),
        (["theory=ring"], ["first", "radius"]),
    ],
)
def test_samplers_are_judged_by_what_forgets_last(overrides: list[str], names: list[str]) -> None:
    made = composed(["sampler=hmc", *overrides])
    theory = build_theory(made)
    assert list(judged(made, theory)) == names
    measured = build_tuning_measurement(made, theory)
    assert {o.name for o in measured.more} == {n for n in names if n.startswith("flowed")}


def test_hmc_is_tuned_for_the_flowed_energy(tmp_path: Path) -> None:
    """The flowed energy has a score, and the first choice is the choice for it."""
    made = settings(
        *("theory=su2_2d", "evaluate.flow_time=0.2", "evaluate.flow_step=0.1"),
        *("evaluate.lengths=[0.5,1.0]", "evaluate.measure_every=2"),
    )
    tuning = run(made, tmp_path)["evaluate"]["tuning"]
    for row in tuning:
        assert set(row["scores"]) == {"plaquette", "flowed_energy"}
        assert row["scores"]["flowed_energy"]["value"] > 0
    chosen = [row for row in tuning if row["chosen"]]
    assert len(chosen) == 1
    assert "flowed_energy" in chosen[0]["chosen_for"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["observables=[plakette]"], r"^observables=\[plakette\]: there is no plakette; choose of"),
        (["observables=[radius]"], "there is no radius; choose of charge, .* wilson_loop$"),
        (["theory=ring", "observables=[radius,charge]"], "charge: is known for 2D U.1. links, not"),
        (["theory=ring", "observables=[side]"], "choose of first, first_squared, radius$"),
        (["theory=su3_4d", "observables=[charge]"], r"charge: .* not for 4D SU\(3\) links on 6x6"),
        (["evaluate.measure_every=0"], "^evaluate.measure_every=0: must be at least 1"),
        (["evaluate.measure_every=41"], "^evaluate.measure_every=41: must be at most the draws$"),
    ],
)
def test_what_cannot_be_measured_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as refusal:
        validate(composed(["mode=debug", "sampler=hmc", *overrides]))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "overrides",
    [
        ["observables=[]"],
        ["observables=[charge_squared,sine_charge]"],
        ["evaluate.measure_every=20", "evaluate.hmc_draws=10"],  # hmc has no baseline
        ["theory=ring", "observables=[radius]"],
        ["theory=su3_4d", "theory.lattice=[2,2,2,2]", "observables=[wilson_loop]"],
    ],
)
def test_what_can_be_measured_is_accepted(overrides: list[str]) -> None:
    validate(composed(["mode=debug", "sampler=hmc", *overrides]))


def test_a_run_measures_after_the_gradient_flow(tmp_path: Path) -> None:
    """t^2 E is E times the time squared; the charge of the clover has no meaning in 2D U(1)."""
    run(settings("evaluate.flow_time=0.5", "evaluate.measure_every=6"), tmp_path)
    measured = read_draws(tmp_path / "chains/evaluate.h5")[0].observables
    assert "flowed_charge" not in measured
    energy = measured["flowed_energy"][:, 1::6]
    np.testing.assert_allclose(measured["flowed_t2_energy"][:, 1::6], 0.25 * energy)
    assert np.all((energy > 0) & (energy < 0.5))
    found = json.loads((tmp_path / "summary.json").read_text())
    assert found["evaluate"]["observables"]["flowed_energy"]["mean"] == estimate(energy).mean
    assert "Flowed energy" in (tmp_path / "report.html").read_text()


def test_heatbath_runs_beside_hmc_and_the_flow_has_t0(tmp_path: Path) -> None:
    """At strong coupling t^2 E rises through 0.3 soon; costs count the updates of links."""
    flow = ["evaluate.flow_time=3", "evaluate.flow_step=0.5", "evaluate.flow_kernel=symanzik"]
    more = [
        "theory=su2_4d",
        "theory.lattice=[4,4,4,4]",
        "theory.beta=1",
        "evaluate.heatbath_draws=12",
    ]
    run(settings(*flow, *more, "evaluate.measure_every=2"), tmp_path)
    found = json.loads((tmp_path / "summary.json").read_text())
    assert found["hmc"] is None
    heatbath = found["baselines"]["heatbath"]
    assert (heatbath["draws"], heatbath["link_updates"]) == (12, 5)
    assert found["evaluate"]["link_updates"] == found["evaluate"]["force_evaluations"]
    assert found["comparison"]["flowed_energy"]["baseline"] == "heatbath"
    assert "heatbath/convergence" in found["checks"]
    for phase, name in ((found["evaluate"], "evaluate"), (heatbath, "heatbath")):
        measured = read_draws(tmp_path / f"chains/{name}.h5")[0].observables
        energies = measured["flowed_energies"][:, 1::2]
        np.testing.assert_allclose(phase["flow"]["energy"], energies.mean(axis=(0, 1)))
        np.testing.assert_array_equal(energies[..., -1], measured["flowed_energy"][:, 1::2])
        assert phase["flow"]["time"] == pytest.approx(np.arange(0, 3.1, 0.5))
        assert 0 < phase["flow"]["t0"] < 3
        assert phase["flow"]["t0_error"] > 0
    page = re.sub(r"<[^>]+>", " ", (tmp_path / "report.html").read_text())
    assert "for what heatbath spends on one?" in page
    assert "Independent per 1000 updates" in page
    assert (tmp_path / "figures/flow.svg").is_file()
    stored = composed([*TINY, *more])
    longer = with_overrides(stored, ["evaluate.heatbath_draws=16"], tmp_path)
    assert longer.evaluate.heatbath_draws == 16
    with pytest.raises(SettingsError, match=r"^evaluate.hmc_draws=9: a run of sampler=hmc has no"):
        with_overrides(stored, ["evaluate.hmc_draws=9"], tmp_path)


def test_flowed_observables_need_a_flow_time_and_links() -> None:
    with pytest.raises(SettingsError, match=r"flowed_energy: needs evaluate.flow_time=T"):
        validate(settings("observables=[flowed_energy]"))
    validate(settings("observables=[flowed_energy]", "evaluate.flow_time=0.5"))
    with pytest.raises(SettingsError, match=r"^evaluate.flow_time=0.5: ring has no links$"):
        validate(composed(["mode=debug", "theory=ring", "sampler=hmc", "evaluate.flow_time=0.5"]))


def test_chains_of_hmc_start_where_the_tuner_leaves_them(tmp_path: Path) -> None:
    """From a hot start, plaquette 0, one trajectory does not reach the plaquette of 0.6."""
    more = ["theory=su2_4d", "theory.lattice=[4,4,4,4]", "evaluate.warmup=1"]
    run(settings(*more, "evaluate.tune_iterations=20"), tmp_path)
    first = read_draws(tmp_path / "chains/evaluate.h5")[0].observables["plaquette"][:, 0]
    assert np.all(first > 0.5)
