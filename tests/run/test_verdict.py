"""The verdict, and the table of the terminal: what is claimed, in which signs."""

# ruff: noqa: RUF001 (typographic signs are meant)

import io
import math

import pytest
from rich.console import Console

from gaugemc import cli
from gaugemc.choices.samplers.hmc import HMCSampler
from gaugemc.choices.settings import EvaluateSettings, Settings
from gaugemc.choices.theories.gauge import SU3In4D, U1In2D
from gaugemc.run.summary import verdict
from gaugemc.statistics.compare import Comparison

SETTINGS = Settings(theory=U1In2D(beta=6.0))
CHECKS = {"log_det": {"outcome": "passed", "passed": True}}


def said(**compared: Comparison) -> str:
    return verdict(SETTINGS, compared, {"acceptance": 0.8}, CHECKS, ["charge", "plaquette"])


def ratio(value: float, error: float, lower: bool = False, upper: bool = False) -> Comparison:
    return Comparison(value, error, None, None, lower, upper)


def test_the_place_is_written_as_the_field_writes_it() -> None:
    assert said(charge=ratio(2.0, 0.1)).startswith("At β = 6 on 8×8, FT-HMC makes 2.00(10) times")


def test_the_action_is_named_and_the_rival_of_hmc_is_heatbath() -> None:
    theory = SU3In4D(action="iwasaki", beta=2.6)
    settings = Settings(theory, HMCSampler(), evaluate=EvaluateSettings(heatbath_draws=9))
    compared = {"plaquette": ratio(0.25, 0.02)}
    text = verdict(settings, compared, {"acceptance": 0.8}, CHECKS, ["plaquette"])
    assert text.startswith("At β = 2.6 on 6×6×6×6 with the Iwasaki action, HMC makes only 0.25(2)")
    assert "per second as heatbath: here heatbath is the better choice" in text
    assert SU3In4D(c1=-0.5).with_action == " with c1 = -0.5"
    assert SU3In4D().with_action == U1In2D(c1=0.0).with_action == ""


@pytest.mark.parametrize("error", [math.inf, math.nan])
def test_a_bound_with_no_error_has_no_parentheses(error: float) -> None:
    text = said(charge=ratio(39.05, error, lower=True))
    assert "makes at least 39 times as many" in text
    assert "(" not in text


def test_a_small_lower_bound_is_no_defeat() -> None:
    """HMC may be frozen beyond what was measured: then nothing says that HMC is cheaper."""
    text = said(charge=ratio(0.4, 0.1, lower=True), plaquette=ratio(0.5, 0.1, lower=True))
    assert "at least 0.40(10) times" in text
    assert "better" not in text
    assert "cheaper" not in text
    text = said(charge=ratio(0.4, 0.1), plaquette=ratio(0.5, 0.1))
    assert "only 0.40(10) times" in text
    assert "here tuned HMC is the better choice" in text


@pytest.mark.parametrize("value", [0.94, 1.06])
def test_what_is_within_two_errors_decides_nothing(value: float) -> None:
    text = said(charge=ratio(value, 0.05), plaquette=ratio(0.95, 0.05))
    assert f"makes {value}(5) times as many" in text
    assert "per second as tuned HMC, which decides nothing; " in text
    text = said(charge=ratio(2.0, 0.1), plaquette=ratio(0.85, 0.05))
    assert "per second as tuned HMC (HMC is cheaper for plaquette); " in text


def test_an_upper_bound_decides_for_hmc_alone() -> None:
    """Chains of the sampler that are too short flatter the sampler."""
    assert "at most 0.17(3) times" in said(charge=ratio(0.17, 0.03, upper=True))
    for open_still in (ratio(0.9, 0.1, upper=True), ratio(9.0, 1.0, upper=True)):
        assert "too short to judge" in said(charge=open_still)
    assert "too short to judge" in said(charge=ratio(0.17, 0.03, lower=True, upper=True))


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_any_terminal_shows_the_numbers(encoding: str) -> None:
    """Strictly encoded: a sign that the terminal lacks would raise an error."""
    frozen = {"mean": -2e-7, "error": 4e-9, "exact": 0.0, "z": -1.0}
    frozen |= {"tau_int": 1500.0, "tau_int_error": math.inf, "lower_bound": True}
    numbers = {
        "sampler": {"name": "fthmc"},
        "evaluate": {"observables": {"a[b]": frozen}},
        "hmc": None,
        "baselines": {},
        "verdict": "At β = 6 on 8×8 [8,8] ≥ −1",
    }
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding=encoding, errors="strict")
    cli.show(numbers, Console(file=stream, width=100))
    stream.flush()
    text = written.getvalue().decode(encoding)
    assert ">= 1,500 " in text
    assert "∞" not in text
    assert "inf" not in text
    assert "a[b]" in text
    signs = {"utf-8": ("−2.00(4)×10⁻⁷", "At β = 6 on 8×8 [8,8] ≥ −1")}
    for shown in signs.get(encoding, ("-2.00(4)x10^-7", "At beta = 6 on 8x8 [8,8] >= -1")):
        assert shown in text
