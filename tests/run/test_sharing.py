"""Runs of a scan make the same draws of HMC once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from composed import composed

from gaugemc.choices.settings import Settings
from gaugemc.io.ensemble import read_draws
from gaugemc.run import phase_start
from gaugemc.run.experiment import run

SMALL = [
    *("mode=debug", "sampler=heatbath", "theory=u1_2d", "theory.lattice=[4,4]", "chains=4"),
    *("progress=false", "evaluate.draws=12", "evaluate.warmup=2", "evaluate.burn_in=20"),
    *("evaluate.hmc_draws=14", "evaluate.hmc_warmup=2", "evaluate.timing_rounds=1"),
    *("evaluate.tune_iterations=2", "evaluate.tune_draws=4"),
]


def settings(*overrides: str) -> Settings:
    return composed(*SMALL, *overrides)


def hmc_of(path: Path) -> np.ndarray:
    return read_draws(path / "chains/hmc.h5")[0].observables["plaquette"]


def test_another_sampler_of_a_scan_takes_its_hmc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are the draws that it would make; another seed, and a run alone, make their own."""
    scan = tmp_path / "scan"
    scan.mkdir()
    (scan / "multirun.yaml").touch()
    first = run(settings(), scan / "0")
    other = settings("sampler.overrelaxation=1", "evaluate.draws=10")
    run(other, tmp_path / "alone")

    def tune(*_: Any, **__: Any) -> None:
        raise RuntimeError("tuned anew")

    monkeypatch.setattr(phase_start, "tune", tune)
    second = run(other, scan / "1")
    assert "HMC has the draws that 0 made" in (scan / "1/log.txt").read_text()
    np.testing.assert_array_equal(hmc_of(scan / "1"), hmc_of(tmp_path / "alone"))
    for part in ("tuning", "observables", "burn_in"):
        assert second["hmc"][part] == first["hmc"][part]
    assert second["evaluate"]["draws"] == 10
    for number, more in enumerate(("seed=2", "theory.beta=1.5", "evaluate.hmc_draws=15")):
        with pytest.raises(RuntimeError, match="tuned anew"):
            run(settings(more), scan / f"other{number}")
    with pytest.raises(RuntimeError, match="tuned anew"):
        run(settings(), tmp_path / "single")
