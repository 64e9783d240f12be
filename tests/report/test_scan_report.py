"""The page of a multirun says what its runs found, whichever of them there are."""

# ruff: noqa: RUF001 (typographic signs are meant)

import json
import math
import pathlib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.text import Annotation
from outline import Outline
from synthetic_run import put_run

from gaugemc.report.scan import by_number, read_scan
from gaugemc.report.scan_curves import abscissa_key, grouped, placed
from gaugemc.report.scan_figure import Abscissa, Curve, Point, scan_figure
from gaugemc.report.scan_members import places, sampler_text
from gaugemc.report.scan_report import write_scan_report
from gaugemc.report.scan_verdict import headline, sentence
from gaugemc.report.svg import svg_of


def read_page(directory: pathlib.Path) -> tuple[str, str, list[str]]:
    """Source, text and links of the page; fails where it is not well-formed."""
    source = write_scan_report(directory).read_text(encoding="utf-8")
    outline = Outline()
    outline.feed(source)
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert not re.search(r"@import|url\((?!#)", source)
    return source, " ".join(outline.text.split()), outline.loaded


@pytest.fixture
def betas(tmp_path: pathlib.Path) -> pathlib.Path:
    """Twelve betas: one run with a bound, one that failed a check, one with an undecided one."""
    for index in range(12):
        more: dict[str, Any] = {}
        if index == 3:
            more = {"ratio": {"ess_per_second_ratio": 39.05, "error": None, "lower_bound": True}}
            more |= {"tau_int": 1500.0, "tau_int_error": None}
            more |= {"lower_bound": True, "reason": "it never <moved>"}
        if index == 5:
            more = {"ratio": {"ess_per_second_ratio": 500.0, "error": 30.0, "upper_bound": True}}
        if index == 10:
            more = {"checks": {"a": {"passed": True}, "b": {"passed": None}}}
        if index == 11:
            more = {"checks": {"a": {"passed": True}, "b": {"passed": False}}}
        settings = {"theory": {"beta": 1.0 + index}, "progress": bool(index % 2)}
        put_run(tmp_path / "scan" / str(index), settings, tau=1.1 + index, **more)
    return tmp_path / "scan"


def test_scan_has_a_row_and_a_link_for_every_run(betas: pathlib.Path) -> None:
    (betas / "multirun.yaml").write_text(
        "hydra:\n  overrides:\n    task:\n    - theory.beta=range(1,13)\n"
    )
    source, text, links = read_page(betas)
    assert links == [f"{index}/report.html" for index in range(12)]
    assert all((betas / link).is_file() for link in links)
    assert "FT-HMC against HMC: 2D U(1) on 8×8, scan of β" in text
    for shown in (
        "12 runs",
        "✓ 2 passed",
        "1 of 2 undecided",
        "✗ 1 of 2 failed",
        "4.1(5)",
        "0.812",
    ):
        assert shown in text
    assert "1 of 24 checks failed" in text
    assert "failed in run 11" in text
    assert "makes 3.2(2) (β = 1) to ≥ 39 (β = 4) times as many independent topological" in text
    assert '<span title="it never &lt;moved&gt;">≥ 1,500</span>' in source
    assert '<span title="it never &lt;moved&gt;">≥ 39</span>' in source
    assert "'theory.beta=range(1,13)'" in text
    assert "≤ 500(30)" in text
    assert "∞" not in text
    assert source.count("<svg") == len(list((betas / "figures").glob("*.svg"))) == 5


@pytest.mark.parametrize(
    ("passed", "badge"),
    [([True, True], "✓ 4 of 4 checks passed"), ([True, None], "2 of 4 checks passed")],
)
def test_no_undecided_check_counts_as_passed(
    tmp_path: pathlib.Path, passed: list[bool | None], badge: str
) -> None:
    checks = {str(index): {"passed": outcome} for index, outcome in enumerate(passed)}
    for seed in (1, 2):
        put_run(tmp_path / str(seed), {"seed": seed}, checks=checks)
    source, text, _ = read_page(tmp_path)
    assert badge in text
    assert ("verdict passed" in source) == (passed[1] is True)


def test_runs_without_results_are_listed(betas: pathlib.Path) -> None:
    (betas / "2" / "summary.json").unlink()
    (betas / "3" / "summary.json").write_text('{"theory": ')
    (betas / "4" / "report.html").unlink()  # it is drawn again
    (betas / "5" / "report.html").unlink()
    (betas / "5" / "metrics.csv").write_text("step,loss\n1,what\n")  # it cannot be drawn
    (betas / "6" / "config.yaml").write_text("{[")
    (betas / "12").mkdir()
    (betas / "figures").mkdir()
    (betas / ".submitit").mkdir()
    source, text, links = read_page(betas)
    assert links == [f"{index}/report.html" for index in (0, 1, 4, *range(6, 12))]
    assert "Topological" not in text
    assert (betas / "4" / "report.html").read_text() != "the report"
    assert "13 runs, 10 of them with results" in text
    assert "2: unfinished: there is no summary.json" in text
    assert re.search(r"3: summary\.json: not a readable JSON file", text)
    assert "12: never started" in text
    assert source.count(">no results<") == 3
    assert str(betas) not in source


def test_scan_of_one_run(tmp_path: pathlib.Path) -> None:
    put_run(tmp_path / "0", {})
    source, text, links = read_page(tmp_path)
    assert links == ["0/report.html"]
    assert "1 run" in text
    assert "<svg" not in source
    for absent in ("nan", "None", "scan of"):
        assert absent not in text


def test_nothing_finished(tmp_path: pathlib.Path) -> None:
    for index in range(2):
        (put_run(tmp_path / str(index), {"seed": index}) / "summary.json").unlink()
    source, text, links = read_page(tmp_path)
    assert links == []
    assert "0 of 2 jobs are done; missing: 0; 1." in text
    assert "verdict undecided" in source


def test_a_killed_sweep_names_the_jobs_that_are_missing(tmp_path: pathlib.Path) -> None:
    """Of four jobs one is done, one was killed, and two never began."""
    put_run(tmp_path / "0", {"theory": {"beta": 5.7}})
    (put_run(tmp_path / "1", {"theory": {"beta": 5.7}}) / "summary.json").unlink()
    (tmp_path / "multirun.yaml").write_text(
        "hydra:\n  sweep:\n    subdir: ${hydra.job.num}\n  sweeper:\n    params:\n"
        "      theory.beta: 5.7,5.9\n      member: heatbath,l2hmc\n"
        "  overrides:\n    task:\n    - mode=su3_4d_study\n    - chains=4\n"
    )
    _, text, _ = read_page(tmp_path)
    missing = ["theory.beta=5.7 member=l2hmc", "theory.beta=5.9 member=heatbath"]
    missing += ["theory.beta=5.9 member=l2hmc"]
    assert f"1 of 4 jobs are done; missing: {'; '.join(missing)}." in text
    assert "3: never started" in text
    assert "4 runs, 1 of them with results" in text


def test_directories_without_runs_are_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "0").mkdir()
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FileNotFoundError, match=str(path)):
            write_scan_report(path)
    assert not (tmp_path / "report.html").exists()


def test_everything_is_escaped(tmp_path: pathlib.Path) -> None:
    evil = "<script>alert('$title &amp;')</script>"
    for index in range(2):
        settings = {"theory": {"name": f"{evil}{index}"}, "flow": {"load": f"{evil}{index}"}}
        run = put_run(tmp_path / f"a b#{index}&<i>", settings, label=evil, checks={evil: None})
        summary = json.loads((run / "summary.json").read_text())
        for part in ("evaluate", "hmc"):
            observables = summary[part]["observables"]
            observables[evil] = observables.pop("charge") | {"lower_bound": True, "reason": evil}
        summary["theory"] |= {"title": evil, "leading": [evil]}
        summary["software"] = {evil: evil}
        (run / "summary.json").write_text(json.dumps(summary))
    (tmp_path / "a b#0&<i>" / "summary.json").write_text(evil)
    source, text, links = read_page(tmp_path)
    assert "<script" not in source
    assert links == ["a%20b%231%26%3Ci%3E/report.html"]
    assert text.count(evil[10:]) > 4


def test_numbers_come_in_their_order() -> None:
    names = ["10", "9", "run10", "run9", "a"]
    assert sorted(names, key=by_number) == ["9", "10", "a", "run9", "run10"]


def grid(directory: pathlib.Path, rows: list[dict[str, Any]]) -> pathlib.Path:
    for index, settings in enumerate(rows):
        put_run(directory / str(index), settings)
    return directory


def two_keys(first: list[Any], second: list[Any], write: Callable[..., dict]) -> list[dict]:
    return [write(a, b) for a in first for b in second]


def test_choices_stand_for_all_that_they_change(tmp_path: pathlib.Path) -> None:
    """A choice of sampler changes many settings; one of a lattice and one of beta vary apart."""
    rows = two_keys(
        ["fthmc", "l2hmc"],
        [1.0, 2.0],
        lambda name, beta: {
            "theory": {"beta": beta},
            "sampler": {"force_scale": 0.3 if name == "fthmc" else math.inf, "name": name},
            "training": {"steps": 10 if name == "fthmc" else 20},
        },
    )
    scan = read_scan(grid(tmp_path, rows))
    assert scan.varied == {
        "theory.beta": [],
        "sampler.name": ["sampler.force_scale", "training.steps"],
    }
    assert abscissa_key(scan) == "theory.beta"
    abscissa, places = placed(scan, "theory.beta")
    assert (abscissa.label, abscissa.categories, places) == ("β", (), [1.0, 2.0, 1.0, 2.0])
    groups = grouped(scan, "theory.beta", places)
    assert list(groups) == ["FT-HMC", "L2HMC"]
    assert [x for x, _ in groups["L2HMC"]] == [1.0, 2.0]
    source, text, _ = read_page(tmp_path)
    assert "scan of β and sampler" in text
    assert "With sampler go sampler.force_scale, training.steps." in text
    assert source.count(">L2HMC</text>") == 5  # a legend in every figure


@pytest.mark.parametrize(
    ("rows", "key", "label", "categories", "places"),
    [
        (
            [{"theory": {"lattice": [n, n]}} for n in (8, 64, 16)],
            *("theory.lattice", "L of the lattice L×L", (), [8.0, 64.0, 16.0]),
        ),
        (
            [{"theory": {"lattice": lattice}} for lattice in ([8, 8], [8, 16], [8, 8, 8])],
            *("theory.lattice", "lattice", ("8×8", "8×16", "8×8×8"), [0.0, 1.0, 2.0]),
        ),
        (
            [{"sampler": {"name": name}} for name in ("hmc", "fthmc")],
            *("sampler.name", "sampler", ("HMC", "FT-HMC"), [0.0, 1.0]),
        ),
        ([{"seed": seed} for seed in (3, 1)], "seed", "seed", ("3", "1"), [0.0, 1.0]),
        ([{}, {"progress": False}], "", "run", ("0", "1"), [0.0, 1.0]),
    ],
)
def test_what_curves_are_drawn_against(
    tmp_path: pathlib.Path,
    rows: list[dict],
    key: str,
    label: str,
    categories: tuple[str, ...],
    places: list[float],
) -> None:
    scan = read_scan(grid(tmp_path, rows))
    assert abscissa_key(scan) == key
    abscissa, found = placed(scan, key)
    assert (abscissa.label, tuple(abscissa.categories), found) == (label, categories, places)
    assert read_page(tmp_path)[0].count("<svg") == 5


POINTS = [Point(1.0, 0.02, 0.01), Point(2.0, 3.0, math.nan), Point(3.0, 700.0, 9e4, lower=True)]


@pytest.mark.parametrize("kind", ["positive", "ratio"])
@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e9])
def test_no_point_is_outside_the_axes(kind: str, scale: float) -> None:
    points = [Point(p.x * scale, p.y * scale, p.error * scale, p.lower) for p in POINTS]
    figure = scan_figure("title", Abscissa("β"), [Curve("a", "sampler", False, points)], kind)
    axes = figure.axes[0]
    (low, high), (left, right) = axes.get_ylim(), axes.get_xlim()
    assert axes.get_yscale() == "log"
    assert all(low < point.y < high and left < point.x < right for point in points)
    assert high > 90700 * scale  # the end of the error bar
    if kind == "ratio":
        assert low < 1 < high


def test_bounds_are_open_and_have_arrows() -> None:
    def marks(point: Point) -> tuple[bool, int]:
        figure = scan_figure("title", Abscissa("β"), [Curve("", "sampler", False, [point])])
        axes = figure.axes[0]
        filled = all(line.get_markerfacecolor() != "#ffffff" for line in axes.lines)
        arrows = [text.xyann[1] for text in axes.texts if isinstance(text, Annotation)]
        return filled, int(np.sign(arrows[0])) if arrows else 0

    assert marks(Point(1.0, 2.0, 0.1)) == (True, 0)
    assert marks(Point(1.0, 2.0, 0.1, lower=True)) == (False, 1)
    assert marks(Point(1.0, 2.0, 0.1, upper=True)) == (False, -1)
    assert marks(Point(1.0, 2.0, math.nan, lower=True, upper=True)) == (False, 0)


def test_steps_over_decades_are_drawn_on_a_logarithmic_axis() -> None:
    points = [Point(x, 1.0, 0.1) for x in (100.0, 1000.0, 10000.0)]
    figure = scan_figure("t", Abscissa("training.steps"), [Curve("a", "sampler", False, points)])
    assert figure.axes[0].get_xscale() == "log"
    svg = svg_of(figure)
    for tick in ("100", "1,000", "10,000"):
        assert f">{tick}</text>" in svg


@pytest.fixture
def study(tmp_path: pathlib.Path) -> pathlib.Path:
    """At two betas: heatbath that wins, FT-HMC that loses, L2HMC that is bounded on both sides."""
    ratios = {
        "heatbath": {"ess_per_second_ratio": 8.0, "error": 0.5},
        "fthmc": {"ess_per_second_ratio": 0.25, "error": 0.02},
        "l2hmc": {"ess_per_second_ratio": 1.6, "lower_bound": True, "upper_bound": True},
    }
    of_fthmc = {"ess_per_force_ratio": 2.5, "force_error": 0.1}
    for index, (beta, name) in enumerate((beta, name) for beta in (5.7, 5.9) for name in ratios):
        settings: dict[str, Any] = {"theory": {"beta": beta}}
        if name != "heatbath":
            settings["training"] = {"steps": 0 if name == "fthmc" else 100}
        if name == "fthmc":
            settings["flow"] = {"name": "stout"}
        ratio = ratios[name] | (of_fthmc if name == "fthmc" else {})
        run = put_run(tmp_path / str(index), settings, label=name, ratio=ratio)
        path = run / "summary.json"
        summary = json.loads(path.read_text())
        summary["comparison"]["plaquette"] = summary["comparison"]["charge"] | {"error": 9.0}
        summary["training"] = None if name == "heatbath" else {"seconds": 41.0}
        path.write_text(json.dumps(summary))
    return tmp_path


def test_samplers_are_compared_at_each_place_in_words(study: pathlib.Path) -> None:
    text = read_page(study)[1]
    assert "scan of β and sampler" in text
    text = text.replace("\N{NO-BREAK SPACE}", " ")
    assert (
        "Independent values of Q at β = 5.9, against tuned HMC: Per second more: Heatbath 8.0(5);"
        " fewer: FT-HMC (stout flow, not trained) 0.25(2);"
        " undecided: L2HMC."
        " Per own force more: FT-HMC (stout flow, not trained) 2.50(10)."
    ) in text


def test_ratios_that_decide_are_bold(study: pathlib.Path) -> None:
    """Those of Q; the same ratios of the plaquette have an error of 9."""
    source = read_page(study)[0]
    assert source.count("<b>8.0(5)</b>") == source.count("<b>0.25(2)</b>") == 2
    assert "<td>8(9)</td>" in source


def test_many_open_verdicts_are_not_listed(study: pathlib.Path) -> None:
    members = next(iter(places(read_scan(study)).values()))
    said = sentence("", members, "plaquette").replace("\N{NO-BREAK SPACE}", " ")
    assert "Per second undecided: all. Per own force more: FT-HMC (stout" in said


def test_members_of_a_study_have_their_names(study: pathlib.Path) -> None:
    scan = read_scan(study)
    jobs = [replace(j, words=f"theory.beta=5 member=m{n}") for n, j in enumerate(scan.jobs)]
    named = replace(scan, jobs=jobs)
    member = next(iter(places(named).values()))[1]
    assert (member.label, member.text) == ("m1", "m1: FT-HMC (stout flow, not trained)")
    said = headline(named).replace("\N{NO-BREAK SPACE}", " ")
    assert "Per second more: m0 8.0(5); fewer: m1 0.25(2); undecided: m2." in said


def test_a_model_that_is_loaded_is_not_called_untrained(tmp_path: pathlib.Path) -> None:
    for index, (load, steps) in enumerate(((None, 0), ("gaugemc:a", 0), ("gaugemc:a", 9))):
        settings = {"dynamics": {"network": "series", "load": load}, "training": {"steps": steps}}
        put_run(tmp_path / str(index), settings, label="l2hmc")
    assert [sampler_text(job) for job in read_scan(tmp_path).jobs] == [
        "L2HMC (series of plaquettes, not trained)",
        "L2HMC (series of plaquettes, trained before)",
        "L2HMC (series of plaquettes)",
    ]


def test_training_is_in_the_cost_and_a_draw_costs_forces(study: pathlib.Path) -> None:
    """41 s of draws and as many of training halve the gain; HMC makes a draw in 5 s of 3000."""
    source = read_page(study)[0]
    section = source.partition("<h2>Samplers")[2].partition("<h2>")[0]
    rows = [re.sub(r"<[^>]+>", " ", row).partition(">")[2].split() for row in section.split("<tr")]
    lost, cost = [row for row in rows if row[:2] == ["FT-HMC", "(stout"]][::4]
    assert lost[-2:] == ["0.125(10)", "never"]
    assert cost[-6:] == ["8.00", "65.6", "13.7", "ms", "41.0", "s"]  # 8 forces of HMC in 5 s, 41 s
    won = next(row for row in rows if row[:1] == ["Heatbath"])
    assert won.count("8.0(5)") == 2  # without training both ratios are the same


def test_a_scan_of_one_sampler_compares_no_samplers(betas: pathlib.Path) -> None:
    assert "Independent values of" not in read_page(betas)[1]
