"""The report says what the files of a run say, whole and on one page."""

import json
import math
import pathlib
import re
from typing import Any

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from outline import Outline
from synthetic_run import EXACT, PROBABILITY, VALUES, jumping_charge, su3_run, u1_run

from gaugemc.io.ensemble import read_draws, write_draws
from gaugemc.report import report
from gaugemc.report.chains import Chains, autocorrelation, sector_frequencies
from gaugemc.report.figures import autocorrelation_figure, charge_figure, history_figure
from gaugemc.report.report import write_report
from gaugemc.report.svg import svg_of
from gaugemc.report.tables import ratio_text
from gaugemc.report.training_figure import training_figure
from gaugemc.statistics.notation import format_bound, format_error, printable


def read_page(directory: pathlib.Path) -> tuple[str, str]:
    """The source of a fresh report and its text; fails where the page is not well-formed."""
    source = write_report(directory).read_text(encoding="utf-8")
    outline = Outline()
    outline.feed(source)
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.loaded == []
    assert not re.search(r"@import|url\((?!#)", source)
    return source, " ".join(outline.text.split())


def change(directory: pathlib.Path, **parts: Any) -> None:
    """Replace parts of the summary."""
    path = directory / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | parts))


@pytest.mark.parametrize(
    ("mean", "error", "text"),
    [
        (0.89123, 0.0004, "0.8912(4)"),
        (0.89123, 0.00136, "0.8912(14)"),
        (0.89123, 0.00096, "0.8912(10)"),
        (-2.5, 0.3, "−2.5(3)"),  # noqa: RUF001
        (123.4, 5.0, "123(5)"),
        (1234.0, 56.0, "1230(60)"),
        (9.5, 1.0, "9.5(1.0)"),
        (0.5, 1.2, "0.5(1.2)"),
        (0.1, 0.96, "0.1(1.0)"),
        (3.2e-7, 4e-9, "3.20(4)×10⁻⁷"),  # noqa: RUF001
        (0.0, 0.02, "0.00(2)"),
        (2.0, 0.0, "2.000"),
        (math.inf, math.nan, "∞"),
        (410.0, math.inf, "410"),
        (39.05, math.inf, "39"),
        (0.8912, math.nan, "0.89"),
        (math.nan, 1.0, "–"),  # noqa: RUF001
    ],
)
def test_error_is_in_parentheses(mean: float, error: float, text: str) -> None:
    assert format_error(mean, error) == text


@pytest.mark.parametrize(
    ("value", "error", "lower", "upper", "text"),
    [
        (39.05, math.inf, True, False, "≥ 39"),
        (2612.0, math.nan, True, False, "≥ 2,600"),
        (2612.0, 301.0, True, False, "≥ 2600(300)"),
        (0.62, 0.05, False, True, "≤ 0.62(5)"),
        (0.62, 0.05, True, True, "0.62(5)"),
        (0.62, 0.05, False, False, "0.62(5)"),
        (math.inf, math.inf, True, False, "∞"),
        (math.nan, math.inf, True, False, "–"),  # noqa: RUF001
    ],
)
def test_bound_has_a_sign(value: float, error: float, lower: bool, upper: bool, text: str) -> None:
    assert format_bound(value, error, lower=lower, upper=upper) == text


def test_terminals_without_the_signs_get_ascii() -> None:
    text = "At β = 6 on 8×8: −3.20(4)×10⁻⁷, ≥ 5 µs, ⟨exp(−ΔH)⟩"  # noqa: RUF001
    assert printable(text, "utf-8") == text
    assert printable(text, "ascii") == "At beta = 6 on 8x8: -3.20(4)x10^-7, >= 5 us, <exp(-dH)>"
    assert printable("α", "latin-1") == r"\u03b1"  # noqa: RUF001
    assert printable("8×8", "latin-1") == "8×8"  # noqa: RUF001


def test_full_run_has_every_section_and_number(tmp_path: pathlib.Path) -> None:
    source, text = read_page(u1_run(tmp_path / "run"))
    sections = ["Histories", "Training history", "Topological charge", "Autocorrelation"]
    sections += ["Cost of an independent sample", "Burn-in and mixing", "Observables"]
    sections += ["Exactness", "Tuning"]
    sections += ["Training", "Configuration"]
    assert re.findall(r"<h2>(.*?)</h2>", source) == sections
    for shown in ("makes 31(4) times as many", "6 of 6 checks passed", "0.912402", "≥ 410(50)"):
        assert shown in text
    # 8 chains of 3000 draws, tau 1.71(19), in 41 s and with 8 forces a draw; of HMC in 5.2 s.
    for shown in ("171(19)", "37(4)", "5.6(6)", "31(4)", "154(17)", "0.831", "0.3680"):
        assert shown in text
    assert "lattice: [8, 8]" in text
    assert "squared change of an observable" in text
    assert "✓ chosen for Q" in text
    assert "Length for charge: 1.00 (charge: best of 4)." in text
    assert "Missed, length 4.00 at 0.8: most_steps=30 reached." in text
    assert "3.6(5)" in text  # the score, with its error
    assert source.count("<svg") == 8
    assert len(list((tmp_path / "run" / "figures").glob("*.svg"))) == 8
    assert "viewport" in source
    assert "prefers-color-scheme: dark" in source


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [(False, False, "3.0(2)"), (True, False, "≥"), (False, True, "≤"), (True, True, "undecided")],
)
def test_ratio_is_marked_as_a_bound(low: bool, high: bool, shown: str) -> None:
    compared = {"ratio": 3.0, "error": 0.2, "lower_bound": low, "upper_bound": high}
    text = ratio_text(compared, "ratio", "error")
    assert shown in text
    assert ("≥" in text, "≤" in text) == (low and not high, high and not low)


def test_burn_in_has_its_draws_and_its_cost(tmp_path: pathlib.Path) -> None:
    """8 forces a draw; the ratio is that of the autocorrelation times of the plaquette."""
    run = u1_run(tmp_path / "run", draws=400)
    summary = json.loads((run / "summary.json").read_text())
    after = {"plaquette": 12, "charge_squared": 30}
    evaluate = summary["evaluate"] | {"burn_in": {"draws": 200, "after": after}}
    hmc = summary["hmc"] | {"burn_in": {"draws": 200, "after": after | {"charge_squared": None}}}
    change(run, evaluate=evaluate, hmc=hmc)
    text = read_page(run)[1]
    assert "Plaquette1212" in text
    assert "Charge squared Q²30not within 200" in text
    assert "All of them, in forces240> 1,600" in text
    assert "read off the plaquette1.71(19)410(50)" in text
    assert "240(40)" in text


@pytest.mark.parametrize(
    ("own", "baseline", "said", "unsaid"),
    [
        (
            {"draws": 0, "after": {}, "reason": "chains start from draws of the flow"},
            {"draws": 200, "after": {"plaquette": 12}, "reason": ""},
            [
                "Burn-in of FT-HMC is not measured: chains start from draws of the flow.",
                "Observables that are measured on few of these draws are left out.",
                "Plaquettenot measured12",
                "All of them, in forces–96",  # noqa: RUF001
            ],
            [],
        ),
        (
            {"draws": 0, "after": {}, "reason": "needs 4 chains"},
            {"draws": 0, "after": {}, "reason": "needs 4 chains"},
            ["Burn-in of FT-HMC and HMC is not measured: needs 4 chains."],
            ["hot", "in draws"],
        ),
        (
            None,
            None,
            ["Ratio: τint of HMC over that of the sampler."],
            ["Burn-in of", "hot", "in draws"],
        ),
    ],
    ids=["flow", "few chains", "not asked"],
)
def test_burn_in_that_is_not_measured_is_said_and_why(
    tmp_path: pathlib.Path,
    own: dict[str, Any] | None,
    baseline: dict[str, Any] | None,
    said: list[str],
    unsaid: list[str],
) -> None:
    run = u1_run(tmp_path / "run", draws=400)
    summary = json.loads((run / "summary.json").read_text())
    found = {"evaluate": own, "hmc": baseline}
    change(run, **{name: summary[name] | {"burn_in": part} for name, part in found.items()})
    source, text = read_page(run)
    part = source.split("Burn-in and mixing</h2>")[1].split("</section>")[0]
    assert all(words in text for words in said)
    assert not any(words in part for words in unsaid)


def test_a_second_baseline_has_its_column_and_says_what_is_compared_with_it(
    tmp_path: pathlib.Path,
) -> None:
    run = u1_run(tmp_path / "run", draws=400)
    summary = json.loads((run / "summary.json").read_text())
    text = read_page(run)[1]
    assert "ratio to" not in text
    second = json.loads(json.dumps(summary["hmc"])) | {"acceptance": 0.7654, "tuning": []}
    comparison = {
        name: ratios | {"baseline": "hmc-plaquette" if name == "plaquette" else "hmc"}
        for name, ratios in summary["comparison"].items()
    }
    change(run, baselines={"hmc-plaquette": second}, comparison=comparison)
    (run / "chains/hmc-plaquette.h5").write_bytes((run / "chains/hmc.h5").read_bytes())
    source, text = read_page(run)
    assert "Plaquette (ratio to HMC for plaquette)" in text
    assert "Charge squared Q² (ratio to HMC)" in text
    assert "0.765" in text
    assert source.count('<span class="second">HMC for plaquette</span>') >= 4
    assert "History of HMC for plaquette" in source


def test_run_of_hmc_alone_leaves_out_what_it_has_not(tmp_path: pathlib.Path) -> None:
    source, text = read_page(su3_run(tmp_path / "run"))
    assert "1 of 2 checks failed" in text
    assert "✗ failed" in text
    assert "HMC failed a check" in text
    assert "0.5937(4)" in text
    for absent in ("Training", "Topological charge", "Ratio", "FT-HMC", "Exact<", "None", "nan"):
        assert absent not in source
    assert source.count("<svg") == 2


def test_mixing_has_the_ratio_of_autocorrelation_times(tmp_path: pathlib.Path) -> None:
    """Of the plaquette, in place of the action: 40 +- 8 over 0.8 +- 0.1, and a bound of it."""
    run = u1_run(tmp_path / "run", draws=50)
    summary = json.loads((run / "summary.json").read_text())
    taus = {"evaluate": (0.8, 0.1, False), "hmc": (40.0, 8.0, True)}
    for part, (tau, error, bound) in taus.items():
        found = summary[part]["observables"]["plaquette"]
        found |= {"tau_int": tau, "tau_int_error": error, "lower_bound": bound}
    change(run, evaluate=summary["evaluate"], hmc=summary["hmc"])
    _, text = read_page(run)
    assert "≥ × 50(12) lower bound" in text.partition("Mixing between energy levels")[2]  # noqa: RUF001


def test_undecided_checks_are_amber_and_say_why(tmp_path: pathlib.Path) -> None:
    """Of the evaluated sampler; those of the baseline are only counted. Failures stay failures."""
    run = u1_run(tmp_path / "run", draws=200)
    checks = json.loads((run / "summary.json").read_text())["checks"]
    open_check = {"outcome": "undecided", "passed": None, "why": "charge is <frozen>", "z": 9.0}
    change(run, checks=checks | {"hmc_plaquette": open_check})
    source, text = read_page(run)
    assert '<span class="badge passed">✓ 6 of 7 checks passed, 1 undecided, all of HMC' in source
    assert "Plaquette against its exact value, HMC charge is <frozen>? undecided" in text
    member = {"outcome": "undecided", "passed": None, "why": "few", "mean": 1.0, "error": 0.1}
    change(run, checks=checks | {"plaquette": open_check, "exp_minus_delta_h.winding": member})
    source, text = read_page(run)
    assert '<span class="badge undecided">? 5 of 7 checks passed, 2 undecided</span>' in source
    assert '<div class="verdict undecided">' in source
    assert "⟨exp(−ΔH)⟩ = 1, winding few? undecided" in text  # noqa: RUF001
    failed = {"outcome": "failed", "passed": False, "why": "z = 9", "z": 9.0, "limit": 4.0}
    change(run, checks=checks | {"plaquette": failed, "charge_squared": open_check})
    source, text = read_page(run)
    assert '<span class="badge failed">✗ 1 of 6 checks failed: Plaquette' in source
    assert "1 undecided" in text


def contrast(a: str, b: str) -> float:
    """The contrast of two colours (WCAG 2.2), from 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_outcomes_can_be_read_in_both_modes() -> None:
    """Text on paper, on a raised box and on its tint: at least 4.5."""
    style = (pathlib.Path(report.__file__).parent / "report.css").read_text()
    for mode in re.findall(r":root \{(.*?)\}", style, re.DOTALL):
        colours = dict(re.findall(r"--([\w-]+): (#\w{6})", mode))
        for name in ("pass", "fail", "open"):
            for ground in ("paper", "raised", f"{name}-tint"):
                assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)


def test_names_are_escaped(tmp_path: pathlib.Path) -> None:
    run = u1_run(tmp_path / "run", draws=200)
    evil = "<script>alert('$title &amp;')</script>"
    summary = json.loads((run / "summary.json").read_text())
    observables = summary["evaluate"]["observables"]
    observables[evil] = observables["plaquette"]
    change(
        run,
        evaluate=summary["evaluate"],
        theory={"name": evil, "group": evil, "lattice": [8, 8], "beta": 6.0, evil: evil},
        sampler={"name": evil, "parameters": {evil: evil}},
        checks={evil: {"value": 1.0, "limit": 2.0, "passed": False}, "log_det": None},
        software={evil: evil, "machine": evil},
        verdict=evil,
    )
    (run / "config.yaml").write_text(evil)
    source, text = read_page(run)
    assert "<script" not in source
    assert text.count(evil) > 8


def test_undefined_numbers_are_shown_as_such(tmp_path: pathlib.Path) -> None:
    run = u1_run(tmp_path / "run", draws=200)
    summary = json.loads((run / "summary.json").read_text())
    broken = {"mean": math.nan, "error": math.nan, "tau_int": math.inf, "tau_int_error": math.inf}
    for part in ("evaluate", "hmc"):
        for observed in summary[part]["observables"].values():
            observed |= broken | {"exact": None, "z": None, "lower_bound": True}
        summary[part] |= {"r_hat": {"charge": math.inf}, "seconds": 0.0, "acceptance": math.nan}
    for compared in summary["comparison"].values():
        compared |= {"ess_per_second_ratio": math.nan, "ess_per_force_ratio": math.inf}
    change(run, **{name: summary[name] for name in ("evaluate", "hmc", "comparison")})
    _, text = read_page(run)
    assert "∞" in text
    assert "nan" not in text.lower().replace("resonance", "")
    assert "inf" not in re.sub("inform", "", text)


def test_qualities_have_errors_and_an_uncertain_ess_is_a_bound(tmp_path: pathlib.Path) -> None:
    run = u1_run(tmp_path)
    training = json.loads((run / "summary.json").read_text())["training"]
    measured = {"kl_error": 0.012, "ess": 0.9832, "ess_error": 0.0021, "best_step": 2000}
    change(run, training=training | measured | {"last_kl": 0.368, "warnings": []})
    source, text = read_page(run)
    assert "<td>0.368(12)</td>" in source
    assert text.count("0.983(2)") == 2  # among the first numbers, and in the table
    assert "bound" not in source[source.index("<h2>Training</h2>") :].split("<h2>")[1]
    for absent in ("of the last model", "that is used", 'class="warning"'):
        assert absent not in source
    change(run, training=training | measured | {"ess_upper_bound": True})
    assert "≤ 0.983(2) upper bound" in read_page(run)[1]


def test_training_that_went_wrong_is_said(tmp_path: pathlib.Path) -> None:
    run = u1_run(tmp_path)
    training = json.loads((run / "summary.json").read_text())["training"]
    last = {"last_kl": 57.1, "last_kl_error": 0.9, "last_ess": 3e-4, "last_ess_upper_bound": True}
    warnings = ["gradients are noise from step 700 on", "the norm > 1e6"]
    change(run, training=training | last | {"best_step": 900, "warnings": warnings})
    source, text = read_page(run)
    assert "Step of the model that is used</th><td>900</td>" in source
    assert "KL divergence of the last model</th><td>57.1(9)</td>" in source
    assert "ESS of the last model≤ 0.00030 upper bound" in text
    assert source.count('<p class="warning">') == 2
    assert "⚠ gradients are noise from step 700 on." in text
    assert "the norm > 1e6" in text


def test_frozen_charge_is_said_to_be_frozen(tmp_path: pathlib.Path) -> None:
    run = u1_run(tmp_path / "run", draws=200)
    path = run / "chains" / "hmc.h5"
    draws, attributes = read_draws(path)
    frozen = {**draws.observables, "charge": np.ones_like(draws.observables["charge"])}
    write_draws(path, draws._replace(observables=frozen), attributes)
    _, text = read_page(run)
    assert "HMC (never changed)" in text


def test_files_beside_the_summary_may_be_missing(tmp_path: pathlib.Path) -> None:
    run = u1_run(tmp_path / "run", draws=200)
    for name in ("config.yaml", "metrics.csv", "chains/evaluate.h5", "chains/hmc.h5"):
        (run / name).unlink()
    source, text = read_page(run)
    assert "<svg" not in source
    assert "37(4)" in text


def test_missing_or_broken_files_are_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"summary\.json"):
        write_report(tmp_path)
    (tmp_path / "summary.json").write_text('{"theory": ')
    with pytest.raises(ValueError, match=r"summary\.json: not a readable"):
        write_report(tmp_path)
    (tmp_path / "summary.json").write_text("[1, 2]")
    with pytest.raises(ValueError, match=r"summary\.json: not the summary"):
        write_report(tmp_path)
    run = u1_run(tmp_path / "run", draws=50)
    chains = (run / "chains" / "hmc.h5").read_bytes()
    damaged = chains[:-100] + bytes([chains[-100] ^ 1]) + chains[-99:]
    for broken, what in ((b"not HDF5", "not a gaugemc ensemble"), (damaged, "checksum")):
        (run / "chains" / "hmc.h5").write_bytes(broken)
        with pytest.raises(ValueError, match=rf"hmc\.h5.*{what}") as raised:
            write_report(run)
        assert "\n" not in str(raised.value)
    (run / "chains" / "hmc.h5").unlink()
    (run / "metrics.csv").write_text("step,loss\n1,what\n")
    with pytest.raises(ValueError, match=r"metrics\.csv"):
        write_report(run)
    assert not (run / "report.html").exists()


def test_under_the_title_is_what_was_set_of_the_theory_alone(tmp_path: pathlib.Path) -> None:
    u1_run(tmp_path)
    theory = {"name": "u1_2d", "group": "U(1)", "lattice": [8, 8], "beta": 6.0}
    change(tmp_path, theory=theory | {"action": "iwasaki", "c1": None, "kernels": "xla"})
    setting = re.search(r'<p class="setting">(.*?)</p>', read_page(tmp_path)[0])
    assert setting is not None
    assert setting[1].split(" · ")[0] == "action iwasaki"
    assert not re.search("None|kernels", setting[1])


def test_page_is_the_same_when_written_again(tmp_path: pathlib.Path) -> None:
    run = u1_run(tmp_path / "run", draws=200)
    first = write_report(run).read_text()
    assert write_report(run).read_text() == first


def test_tick_labels_keep_their_decimals() -> None:
    series = np.linspace(0.5551, 0.5559, 50)[None]
    svg = svg_of(history_figure([Chains("HMC", "hmc", {"plaquette": series})]))
    assert re.search(r">0\.555\d", svg)
    assert not re.search(r' d="[^"]*\d\.\d{3}', svg)


def test_autocorrelation_of_an_autoregressive_series() -> None:
    """rho(t) = a^t; tolerance 5 sigma of the estimate, so a false alarm in 10^5 keys."""
    rng = np.random.default_rng(1)
    memory, draws, chains = 0.8, 4000, 16
    series = rng.normal(size=(chains, draws))
    for t in range(1, draws):
        series[:, t] = memory * series[:, t - 1] + math.sqrt(1 - memory**2) * series[:, t]
    rho = autocorrelation(series + 7.0, 12)
    sigma = math.sqrt((1 + memory**2) / (1 - memory**2) / (chains * draws))
    np.testing.assert_allclose(rho, memory ** np.arange(12), atol=5 * sigma)


def test_autocorrelation_agrees_with_its_definition() -> None:
    series = np.random.default_rng(2).normal(size=(3, 9))
    deviation = series - series.mean()
    direct = [np.mean(deviation[:, : 9 - t] * deviation[:, t:]) for t in range(9)]
    np.testing.assert_allclose(autocorrelation(series, 9), np.array(direct) / direct[0])


def test_autocorrelation_of_frozen_chains() -> None:
    assert np.all(np.isnan(autocorrelation(np.full((4, 50), 0.3), 5)))
    apart = np.array([-1.0, 1.0])[:, None] * np.ones((2, 50))
    np.testing.assert_allclose(autocorrelation(apart, 5), 1.0)


def test_sector_frequencies_are_normalised_with_honest_errors() -> None:
    """Independent draws: the error is sqrt(P (1 - P) / N), to 30 % (3 sigma of 64 blocks)."""
    charge = jumping_charge(np.random.default_rng(3), 1.0, 64, 2000)
    frequency, error = sector_frequencies(charge, np.array(VALUES, np.float64))
    assert frequency.sum() == pytest.approx(1.0)
    p = PROBABILITY[3] / sum(PROBABILITY)
    assert error[3] == pytest.approx(math.sqrt(p * (1 - p) / charge.size), rel=0.3)
    assert abs(frequency[3] - p) < 5 * error[3]


def test_histogram_without_exact_distribution_or_blocks() -> None:
    figure = charge_figure([Chains("HMC", "hmc", {"charge": np.zeros((1, 1))})], None)
    assert "exact" not in svg_of(figure)


def test_rare_sectors_are_drawn_whole_and_not_below_zero() -> None:
    charge = np.zeros((8, 50))
    charge[0, 0] = 2.0
    figure = charge_figure([Chains("HMC", "hmc", {"charge": charge})], None)
    bars = figure.axes[0].containers[0]
    assert isinstance(bars, ErrorbarContainer)
    assert not bars.lines[0].get_clip_on()
    ends = np.concatenate([np.asarray(p.vertices)[:, 1] for p in bars.lines[2][0].get_paths()])
    assert ends.min() == 0
    assert ends.max() > np.max(bars.lines[0].get_ydata())


def test_exact_value_is_drawn_in_the_history() -> None:
    series = np.full((1, 20), EXACT["plaquette"]) + np.linspace(-0.1, 0.1, 20)
    run = Chains("HMC", "hmc", {"plaquette": series})
    assert svg_of(history_figure([run], exact=EXACT)) != svg_of(history_figure([run]))


@pytest.mark.parametrize("size", [1e-9, 0.01, 3.0, 4e8])
@pytest.mark.parametrize("spike", [0.0, 1e3, 1e6])
def test_every_loss_lies_within_axes_that_have_no_offset(size: float, spike: float) -> None:
    rng = np.random.default_rng(4)
    step = np.arange(10.0, 2010.0, 10.0)
    loss = size * (-504.0 + rng.normal(size=step.size) + spike * np.exp(-step / 50))
    loss[[60, -1]] += size * spike  # spikes of later steps are points as well
    figure = training_figure({"step": step, "loss": loss}, "loss", "Loss")
    axes = figure.axes[0]
    drawn = np.asarray(axes.lines[0].get_ydata())
    low, high = axes.get_ylim()
    assert drawn.size == loss.size
    assert low <= drawn.min() < drawn.max() <= high
    np.testing.assert_allclose(np.diff(drawn), np.diff(loss))
    # The second half is seen: not squeezed into less than a tenth of the height.
    places = axes.transAxes.inverted().transform(
        axes.transData.transform(np.column_stack([step, drawn]))
    )[100:-1, 1]
    assert np.ptp(places) > 0.1
    figure.canvas.draw()
    assert axes.yaxis.get_offset_text().get_text() == ""
    assert axes.xaxis.get_offset_text().get_text() == ""


def test_no_figure_has_an_offset_or_reads_formulas() -> None:
    series = np.random.default_rng(5).normal(0.9999998, 1e-9, (2, 50))
    name = "a$_{$x$^$"
    run = Chains("HMC", "hmc", {name: series, "charge": np.rint(1e9 * (series - series.mean()))})
    for figure in (history_figure([run], [name]), autocorrelation_figure([run], name, 9)):
        svg = svg_of(figure)
        assert "a$ {$x$^$" in svg
        for axes in figure.axes:
            assert axes.yaxis.get_offset_text().get_text() == ""


def test_autocorrelation_above_one_is_not_clipped() -> None:
    """With the mean of all chains, chains that drift apart correlate more at a distance."""
    series = np.concatenate([np.ones((2, 40)), -np.ones((2, 40))])
    series[:, 18:22] *= 0.2
    assert autocorrelation(series, 36)[-1] > 1.1
    axes = autocorrelation_figure([Chains("HMC", "hmc", {"charge": series})], "charge", 35).axes[0]
    assert axes.get_ylim()[1] > float(np.max(axes.lines[1].get_ydata()))


@pytest.mark.parametrize(("rows", "few"), [(20, True), (200, False)])
def test_errors_of_the_quality_are_drawn(rows: int, few: bool) -> None:
    metrics = {"step": np.arange(1.0, rows + 1), "kl": np.linspace(3.0, 1.0, rows)}
    without = training_figure(metrics, "kl", "KL").axes[0]
    axes = training_figure(metrics | {"kl_error": np.full(rows, 0.5)}, "kl", "KL").axes[0]
    assert not without.collections
    bars = axes.collections[0]
    paths = bars.get_paths()
    assert len(paths) == (rows if few else 1)
    ends = np.concatenate([np.asarray(path.vertices)[:, 1] for path in paths])
    assert (ends.min(), ends.max()) == (pytest.approx(0.5), pytest.approx(3.5))
    low, high = axes.get_ylim()
    assert low <= 0.5
    assert high >= 3.5


def test_quality_is_shown_with_its_error(tmp_path: pathlib.Path) -> None:
    run = u1_run(tmp_path / "run", draws=50)
    training = json.loads((run / "summary.json").read_text())["training"]
    change(run, training=training | {"kl_error": 0.021, "ess_error": 0.0042})
    _, text = read_page(run)
    assert "0.37(2)" in text
    assert text.count("0.831(4)") == 2  # among the key numbers too


def test_bounds_say_why(tmp_path: pathlib.Path) -> None:
    run = u1_run(tmp_path / "run", draws=50)
    summary = json.loads((run / "summary.json").read_text())
    frozen = summary["hmc"]["observables"]["charge_squared"]
    frozen |= {"tau_int": 1500.0, "tau_int_error": None, "reason": 'it "never" <moved>'}
    summary["comparison"]["charge_squared"] |= {"ess_per_second_ratio": 39.05, "error": None}
    change(run, hmc=summary["hmc"], comparison=summary["comparison"])
    source, text = read_page(run)
    assert source.count('title="it &quot;never&quot; &lt;moved&gt;"') >= 4
    assert 'Charge squared Q² of HMC: it "never" <moved>.' in text
    assert "≥ × 39 lower bound" in text  # noqa: RUF001
    assert "≥ 1,500 lower bound" in text
    assert re.search(r"Charge squared Q² ?HMC ?0\.80\d\d\(4\) error ≥", text)
    assert "∞" not in text
