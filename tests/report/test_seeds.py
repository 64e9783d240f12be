"""Runs that differ in their seed alone are one row of the study, with errors that cover."""

import json
import math
import pathlib
import re
from typing import Any

import pytest
from synthetic_run import put_run

from gaugemc.report import seeds
from gaugemc.report.scan import read_scan
from gaugemc.report.scan_members import places
from gaugemc.report.scan_report import write_scan_report
from gaugemc.report.scan_samplers import paid_back
from gaugemc.statistics.compare import winner
from gaugemc.statistics.notation import MISSING


def ratios(*pairs: tuple[float, float], **more: Any) -> list[dict[str, Any]]:
    return [{"ess_per_second_ratio": r, "error": e, **more} for r, e in pairs]


def test_the_larger_of_spread_and_errors_counts() -> None:
    assert seeds.average([1.0, 1.0], [0.3, 0.4]) == (1.0, pytest.approx(0.25))
    assert seeds.average([1.0, 3.0], [0.3, 0.4]) == (2.0, pytest.approx(1.0))
    assert seeds.average([5.0], [0.2]) == (5.0, 0.2)
    assert math.isnan(seeds.average([1.0, 1.0], [0.3, math.nan])[1])


def test_ratios_are_averaged_as_logarithms() -> None:
    """A ratio and its inverse cancel; three equal seeds have an error smaller by the root of 3."""
    opposed = seeds.comparison(ratios((4.0, 0.1), (0.25, 0.01)))
    assert opposed["ess_per_second_ratio"] == pytest.approx(1.0)
    assert opposed["error"] == pytest.approx(math.log(4.0))
    same = seeds.comparison(ratios(*[(2.0, 0.3)] * 3))
    assert same["ess_per_second_ratio"] == pytest.approx(2.0)
    assert same["error"] == pytest.approx(0.3 / math.sqrt(3))
    assert "ess_per_force_ratio" not in same


def test_a_bound_in_one_seed_is_a_bound_of_the_mean() -> None:
    bound = ratios((2.0, 0.1), lower_bound=True, reason="R-hat is 2")
    found = seeds.comparison([*ratios((2.0, 0.1)), *bound])
    assert (found["lower_bound"], found["upper_bound"]) == (True, False)
    assert found["reason"] == "R-hat is 2"


def test_seeds_decide_together_what_each_leaves_open() -> None:
    one = ratios((1.3, 0.2))
    keys = "ess_per_second_ratio", "error"
    assert winner(seeds.comparison(one), *keys) == "open"
    assert winner(seeds.comparison(one * 3), *keys) == "sampler"
    assert winner(seeds.comparison(ratios((1.3, 0.1), (2.6, 0.1))), *keys) == "open"


def test_the_distance_of_means_is_taken_seed_by_seed() -> None:
    """Seeds that are 10 apart say nothing of a difference that is 1 in each."""
    ours = [{"mean": 11.0, "error": 0.3}, {"mean": 1.0, "error": 0.3}]
    theirs = [{"mean": 10.0, "error": 0.4}, {"mean": 0.0, "error": 0.4}]
    assert seeds.distance(ours, theirs) == pytest.approx(1 / (0.5 / math.sqrt(2)))
    assert math.isnan(seeds.distance(ours, [{}, {}]))


def test_what_is_paid_back_has_an_error_and_a_bound() -> None:
    """100 s pay after 100 / (2 tau 0.1 s (r - 1)) draws of each of 8 chains."""
    part, found = {"seconds_per_draw": 0.1, "chains": 8}, {"tau_int": 5.0}
    compared = {"ess_per_second_ratio": 3.0, "error": 0.4}
    assert paid_back(part, found, compared, 100.0) == "400(80)"
    assert paid_back(part, found, compared | {"lower_bound": True}, 100.0) == "≤ 400(80)"
    assert paid_back(part, found, compared | {"upper_bound": True}, 100.0) == MISSING


@pytest.fixture
def study(tmp_path: pathlib.Path) -> pathlib.Path:
    """Two seeds of heatbath and of L2HMC at two betas; the HMC of a seed is the same."""
    for index, (beta, name, seed) in enumerate(
        (beta, name, seed)
        for beta in (5.7, 5.9)
        for name in ("heatbath", "l2hmc")
        for seed in (1, 2)
    ):
        gain = {"ess_per_second_ratio": 1.3 + (beta > 5.8) * seed, "error": 0.2}
        run = put_run(
            tmp_path / str(index), {"theory": {"beta": beta}, "seed": seed}, label=name, ratio=gain
        )
        path = run / "summary.json"
        summary = json.loads(path.read_text())
        summary["hmc"]["observables"]["charge"]["tau_int"] = 10.0 * seed
        path.write_text(json.dumps(summary))
    return tmp_path


def rows_of(directory: pathlib.Path) -> list[str]:
    source = write_scan_report(directory).read_text(encoding="utf-8")
    table = source.partition("<h2>Samplers")[2].partition("<h2>")[0]
    rows = [re.sub(r"</?(span|i|sub|br)[^>]*>", "", row) for row in table.split("<tr")]
    rows = [re.sub(r"<[^>]+>", " ", row).partition(">")[2] for row in rows]
    return [" ".join(row.replace("\N{NO-BREAK SPACE}", " ").split()) for row in rows]


def test_seeds_are_one_row(study: pathlib.Path) -> None:
    members = places(read_scan(study))
    assert [[m.label for m in found] for found in members.values()] == [
        ["Heatbath, 2 seeds", "L2HMC, 2 seeds"]
    ] * 2
    rows = rows_of(study)
    for what in ("Heatbath", "L2HMC", "HMC, tuned"):
        assert sum(row.startswith(f"{what}, 2 seeds") for row in rows) == 6  # costs: 2
    charge = rows[rows.index("β = 5.7: Charge Q") :]
    assert " 14(5) " in charge[1]  # of HMC: between 10 and 20
    assert "1.30(14)" in charge[2]


def test_settings_that_go_along_with_the_seed_keep_runs_apart(tmp_path: pathlib.Path) -> None:
    for seed in (1, 2):
        for name in ("heatbath", "l2hmc"):
            settings = {"seed": seed, "evaluate": {"draws": 100 * seed}}
            put_run(tmp_path / f"{name}{seed}", settings, label=name)
    assert all(len(m.runs) == 1 for found in places(read_scan(tmp_path)).values() for m in found)


def test_each_sampler_stands_beside_the_hmc_that_it_is_compared_with(
    study: pathlib.Path,
) -> None:
    """L2HMC ran beside another HMC for the charge: both HMC have a row of their own."""
    for index in (2, 3):
        path = study / str(index) / "summary.json"
        summary = json.loads(path.read_text())
        other = json.loads(json.dumps(summary["hmc"]))
        other["observables"]["charge"] |= {"tau_int": 7.0, "mean": 3.0}
        summary["baselines"] = {"hmc-charge": other}
        summary["comparison"]["charge"]["baseline"] = "hmc-charge"
        path.write_text(json.dumps(summary))
    rows = rows_of(study)
    start = rows.index("β = 5.7: Charge Q")
    names = [row.partition(",")[0] for row in rows[start + 1 : start + 5]]
    assert names == ["HMC", "Heatbath", "HMC for charge", "L2HMC"]
    assert " 7(2) " in rows[start + 3]
    z = float(rows[start + 4].split()[4].replace("\N{MINUS SIGN}", "-"))
    assert z < -1000  # against a mean of 3


def test_seeds_of_one_sampler_are_one_row_and_one_verdict(tmp_path: pathlib.Path) -> None:
    for seed in (1, 2, 3):
        gain = {"ess_per_second_ratio": 1.3, "error": 0.2}
        put_run(tmp_path / str(seed), {"seed": seed}, label="l2hmc", ratio=gain)
    assert any(row.startswith("L2HMC, 3 seeds") and "1.30(12)" in row for row in rows_of(tmp_path))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    verdict = page.partition('<div class="verdict')[2].partition("</div>")[0]
    assert "L2HMC, 3 seeds 1.30(12)" in verdict.replace("\N{NO-BREAK SPACE}", " ")
