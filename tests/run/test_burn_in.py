"""A run counts the draws that its samplers need to forget hot and cold starts."""

import json
import re
from pathlib import Path

import equinox as eqx
import numpy as np
import pytest
from composed import composed
from jaxtyping import Array

from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.choices.uses import unused
from gaugemc.flows import Chain
from gaugemc.groups import U1
from gaugemc.io.ensemble import read_draws
from gaugemc.run.burn_in import not_measured
from gaugemc.run.experiment import run
from gaugemc.run.extension import with_overrides
from gaugemc.samplers import HMC, Compose, ExactU1, Independence, Winding
from gaugemc.spaces import Links
from gaugemc.theories import Wilson

pytestmark = pytest.mark.usefixtures("quick_compilation")


def settings(*overrides: str) -> Settings:
    """Heatbath with HMC beside it on strongly coupled links."""
    tiny = ["theory.lattice=[4,4]", "theory.beta=1", "chains=8", "evaluate.timing_rounds=1"]
    tiny += ["evaluate.draws=12", "evaluate.hmc_draws=12", "evaluate.tune_draws=4"]
    return composed("mode=debug", "sampler=heatbath", "progress=false", *tiny, *overrides)


@pytest.fixture(scope="module")
def burnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "burnt"
    run(settings("evaluate.burn_in=60", "evaluate.cold=false"), path)
    return path


def test_burn_in_is_that_of_chains_from_both_starts(burnt: Path) -> None:
    found = json.loads((burnt / "summary.json").read_text())
    for phase, section in (("evaluate", found["evaluate"]), ("hmc", found["hmc"])):
        burn_in = section["burn_in"]
        assert burn_in["draws"] == 60
        assert set(burn_in["after"]) == {"plaquette", "charge", "charge_squared"}
        assert 0 <= burn_in["after"]["plaquette"] < 40
        draws, _ = read_draws(burnt / f"chains/burn-in-{phase}.h5")
        assert draws.observables["plaquette"].shape == (8, 60)
        first = draws.observables["plaquette"][:, 0].mean()
        assert abs(first - 0.45) < 0.4
    page = re.sub(r"<[^>]+>", " ", (burnt / "report.html").read_text())
    assert "Burn-in, in draws" in page
    assert "All of them, in forces" in page


def test_burn_in_leaves_the_other_draws_as_they_are(burnt: Path, tmp_path: Path) -> None:
    run(settings("evaluate.cold=false"), tmp_path)
    for phase in ("evaluate", "hmc"):
        one, other = (read_draws(path / f"chains/{phase}.h5")[0] for path in (burnt, tmp_path))
        np.testing.assert_array_equal(one.observables["plaquette"], other.observables["plaquette"])
    assert json.loads((tmp_path / "summary.json").read_text())["evaluate"]["burn_in"] is None


def test_a_longer_burn_in_is_no_draw_of_the_baseline(burnt: Path) -> None:
    """Else 60 draws would be done, and fewer than these refused."""
    stored = settings("evaluate.burn_in=60", "evaluate.cold=false")
    more = with_overrides(stored, ["evaluate.hmc_draws=14"], burnt)
    assert run(more, burnt, extend=True)["hmc"]["draws"] == 14


def test_few_chains_and_chains_of_one_start_have_no_burn_in(key: Array) -> None:
    """Composed kernels start as the first of them does."""
    assert unused(settings("chains=3", "evaluate.burn_in=60")) == unused(settings()) | {
        "evaluate.burn_in": "needs 4 chains"
    }
    theory = Wilson(Links(U1(), (4, 4)), 1.0)
    hmc, independence = HMC(theory, 0.1, 2), Independence(theory, Chain(()))
    assert not_measured(3, hmc) == "needs 4 chains"
    for sampler in (hmc, Winding(theory), ExactU1(theory), Compose((hmc, independence))):
        assert not_measured(4, sampler) == ""
    for sampler in (independence, Compose((independence, hmc))):
        assert not_measured(4, sampler) == "chains start from draws of the flow"
        hot, cold = (eqx.filter_jit(sampler.init)(key, start).x for start in (True, False))
        np.testing.assert_array_equal(hot, cold)


def test_few_draws_show_no_burn_in(tmp_path: Path) -> None:
    """Leading observables are measured on all 24 draws, the others on 12."""
    with pytest.raises(SettingsError, match=r"evaluate\.burn_in=19: must be 0 or at least 20"):
        run(settings("evaluate.burn_in=19"), tmp_path)
    few = settings("evaluate.burn_in=24", "evaluate.measure_every=2", "evaluate.hmc_draws=0")
    found = run(few, tmp_path)["evaluate"]
    assert "charge_squared" in found["observables"]
    assert set(found["burn_in"]["after"]) == {"plaquette", "charge"}
