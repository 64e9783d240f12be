"""Sweeps whose jobs a launcher of Hydra's runs in other processes."""

from pathlib import Path

import pytest
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from gaugemc.cli import elsewhere


@pytest.mark.parametrize(("mode", "codes"), [(RunMode.MULTIRUN, [0, 1, 1]), (RunMode.RUN, [])])
def test_jobs_in_other_processes_are_judged_by_what_they_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: RunMode, codes: list[int]
) -> None:
    """The first is finished, the second was interrupted, the third did not begin."""
    hydra = OmegaConf.structured(HydraConf(mode=mode))
    hydra.sweep.dir = str(tmp_path)
    monkeypatch.setattr(HydraConfig.instance(), "cfg", OmegaConf.create({"hydra": hydra}))
    for number, name in enumerate(("summary.json", "config.yaml", "")):
        (tmp_path / str(number)).mkdir()
        if name:
            (tmp_path / str(number) / name).touch()
    assert elsewhere() == codes
