"""The code of docs/tensorflow.md runs, with fewer steps."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "tensorflow.md"


def test_the_page_runs(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    quick_compilation: None,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```py\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    shorter = (
        code.replace("500", "3").replace("(8, 8)", "(4, 4)").replace("n_layers=8", "n_layers=2")
    )
    exec(compile(shorter, str(PAGE), "exec"), {})
    assert float(capsys.readouterr().out) < 1e-4
