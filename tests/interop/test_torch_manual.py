"""The code of docs/pytorch.md runs, with fewer steps."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "pytorch.md"


def test_the_page_runs(capsys: pytest.CaptureFixture[str], quick_compilation: None) -> None:
    code = "".join(re.findall(r"^```py\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL))
    shorter = (
        code.replace("500", "3").replace("(8, 8)", "(4, 4)").replace("n_layers=8", "n_layers=2")
    )
    exec(compile(shorter, str(PAGE), "exec"), {})
    said = capsys.readouterr().out
    plaquette, acceptance = map(float, re.findall(r"tensor\(([\d.]+)", said))
    assert 0.3 < plaquette < 1
    assert 0 < acceptance <= 1
    assert said.count("outcome='passed'") == 2
