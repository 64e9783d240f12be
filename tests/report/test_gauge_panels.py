"""The report of gauge theory: gradient flow, Polyakov loops, observables measured now and then."""

import json
import pathlib
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.lines import Line2D
from synthetic_run import flow_run

from gaugemc.report.chains import Chains
from gaugemc.report.figures import autocorrelation_figure, history_figure
from gaugemc.report.flow_figure import flow_figure
from gaugemc.report.panels import autocorrelations
from gaugemc.report.polyakov_figure import MOST_POINTS, polyakov_figure
from gaugemc.report.record import read_run
from gaugemc.report.remarks import remarks
from gaugemc.report.report import write_report
from gaugemc.report.scan import read_job


def text_of(page: pathlib.Path) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8")).split())


def abscissae(line: Line2D) -> np.ndarray:
    return np.asarray(line.get_xdata())


def test_the_page_has_flow_loops_and_costs(tmp_path: pathlib.Path) -> None:
    text = text_of(write_report(flow_run(tmp_path / "run")))
    assert "HMC against heatbath: 4D SU(3) on 6×6×6×4 at β = 5.7" in text  # noqa: RUF001
    assert "how many independent samples does it make for what heatbath spends on one?" in text
    assert "per second, relative to heatbath" in text
    assert "HMC : t ₀/ a ² = 1.00(2); Heatbath : t ₀/ a ² = 1.00(2). Errors: the spread" in text
    assert "Gradient flow, Symanzik kernel" in text
    assert "along direction 3 (the first is 0)" in text  # the shortest
    assert "Independent per 1000 updates" in text
    assert "1 undecided, all of heatbath" in text
    assert "Convergence of the chains, heatbath" in text
    names = {path.stem for path in (tmp_path / "run/figures").iterdir()}
    assert {"flow", "polyakov", "history-hmc", "autocorrelation-flowed_charge"} <= names
    assert not remarks(tmp_path / "run")[2:]  # config.yaml alone is not there


def test_a_flow_that_ends_too_soon_says_so(tmp_path: pathlib.Path) -> None:
    text = text_of(write_report(flow_run(tmp_path / "run", reached=False)))
    assert "no t ₀, for t ²⟨ E ⟩ does not rise to 0.3: at the end of the flow, t = 1.4" in text


def test_dear_observables_are_drawn_where_they_were_measured(tmp_path: pathlib.Path) -> None:
    run = read_run(flow_run(tmp_path / "run"))
    chains = run.chains[0]
    assert run.drawn == ["flowed_energy", "flowed_charge", "plaquette"]
    assert chains.draws == 400
    assert chains.observables["flowed_charge"].shape == (8, 80)
    assert np.isfinite(chains.observables["polyakov_loop[2]"]).all()
    np.testing.assert_array_equal(chains.draws_of("flowed_charge")[:3], [4, 9, 14])
    assert chains.draws_of("plaquette")[1] == 1
    drawn = [abscissae(axes.lines[0]) for axes in history_figure([chains], run.drawn).axes]
    assert len(drawn) == 5
    np.testing.assert_array_equal(drawn[4][:2], [4, 9])
    assert drawn[0][-1] == drawn[4][-1] == 399
    line = autocorrelation_figure([chains], "flowed_charge", 20).axes[0].lines[1]
    np.testing.assert_array_equal(abscissae(line), [5, 10, 15, 20])


def test_a_scan_leaves_out_what_is_not_compared_with_hmc(tmp_path: pathlib.Path) -> None:
    job = read_job(tmp_path, flow_run(tmp_path / "run"))
    assert job.run is not None
    assert not job.run.part("comparison")
    assert len(job.run.results) == 1


@pytest.mark.parametrize("n", [2, 3])
def test_loops_are_points_between_the_directions_of_the_centre(n: int) -> None:
    phases = np.exp(2j * np.pi * np.arange(n) / n)
    z = 0.2 * np.resize(phases, (8, 500))
    measured = {"polyakov_loop[3]": z.real}
    measured |= {"polyakov_loop_imaginary[3]": z.imag} if n > 2 else {}
    axes: Any = polyakov_figure([Chains("HMC", "hmc", measured)], 3, n).axes[0]
    assert axes.get_xlim() == pytest.approx((-0.22, 0.22))
    if n == 2:
        assert sum(patch.get_height() for patch in axes.patches) == MOST_POINTS
        return
    *rays, points = axes.lines
    ends = np.array([complex(*ray.get_xydata()[1]) for ray in rays])
    np.testing.assert_allclose(ends / np.abs(ends), phases, atol=1e-12)
    assert abscissae(points).size == MOST_POINTS


def test_a_flow_of_samplers_has_errors_and_a_band() -> None:
    flow = {"time": [0.0, 1.0, 2.0], "t2_energy": [0.0, 0.3, 0.5], "energy_error": [0.0, 0.1, 0.1]}
    scale = {"t0": 1.0, "t0_error": 0.1}
    axes: Any = flow_figure([flow], [scale], "wilson", [("HMC", "hmc")]).axes[0]
    lengths = np.diff([s[:, 1] for s in axes.collections[0].get_segments()]).ravel()
    np.testing.assert_allclose(lengths, [0, 0.2, 0.8])
    assert len(axes.patches) == 1
    assert len(flow_figure([flow, flow], [{"t0": None, "t0_error": None}], "wilson").axes) == 1


def test_a_multiple_of_an_observable_has_a_mean_and_no_times_of_its_own(
    tmp_path: pathlib.Path,
) -> None:
    source = write_report(flow_run(tmp_path / "run")).read_text()
    sections = dict(part.split("</h2>", 1) for part in source.split("<h2>")[1:])
    for title, there in {"Cost of an independent sample": False, "Observables": True}.items():
        assert "Flowed energy <i>E</i>" in sections[title]
        assert ("Flowed energy in units of" in sections[title]) == there


def test_samplers_have_small_letters_within_sentences(tmp_path: pathlib.Path) -> None:
    path = flow_run(tmp_path / "run")
    summary = json.loads((path / "summary.json").read_text())
    bound = {"lower_bound": True, "reason": "R-hat is 2"}
    observables = summary["baselines"]["heatbath"]["observables"]
    observables["plaquette"] = observables["plaquette"] | bound
    (path / "summary.json").write_text(json.dumps(summary))
    text = text_of(write_report(path))
    assert "400 of HMC, 400 of heatbath" in text
    assert "Plaquette of heatbath : R-hat is 2" in text
    (path / "summary.json").write_text(json.dumps(summary | {"sampler": {"name": "heatbath"}}))
    text = text_of(write_report(path))
    assert "Is heatbath exact" in text
    assert "Heatbath against" in text


def test_an_empty_autocorrelation_is_not_drawn(tmp_path: pathlib.Path) -> None:
    """20 draws have 5 lags: one point of what is measured on every fifth draw."""
    run = read_run(flow_run(tmp_path / "run"))

    def cut(chains: Chains, draws: int) -> Chains:
        kept = {n: v[:, : draws // chains.step(n)] for n, v in chains.observables.items()}
        return replace(chains, observables=kept)

    page = autocorrelations(replace(run, chains=[cut(chains, 20) for chains in run.chains]))
    assert page.count("<svg") == 1
    assert "Not drawn: <i>E</i>(<i>t</i>), <i>Q</i>(<i>t</i>). Chains are too short" in page
    assert autocorrelations(run).count("<svg") == 3
    assert "Not drawn" not in autocorrelations(run)
