"""What counts as the time of training."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import pytest
from composed import composed

from gaugemc.run import train_phase
from gaugemc.run.run_directory import RunDirectory
from gaugemc.run.trainee import build_trainee
from gaugemc.training import ForceMatch
from gaugemc.training.engine import JAX


@pytest.mark.parametrize(("steps", "seconds"), [(2, 7.0), (0, 0.0)])
def test_chains_that_training_warms_up_are_in_its_time(
    steps: int, seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: jax.Array
) -> None:
    """The clock moves by 7 s with the warm-up, and stands still else; without steps none counts."""
    clock = SimpleNamespace(now=0.0)
    start = ForceMatch.start

    def slow(*arguments: Any) -> Any:
        clock.now += 7.0
        return start(*arguments)

    monkeypatch.setattr(ForceMatch, "start", slow)
    monkeypatch.setattr(train_phase, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    settings = composed(
        *("mode=debug", "sampler=fthmc", "flow=stout", "theory=su2_2d", "theory.lattice=[4,4]"),
        *("training.objective=forces", f"training.steps={steps}", "training.batch=2"),
        *("training.warmup=0", "training.ess_samples=4", "progress=false"),
    )
    directory = RunDirectory(tmp_path / "run")
    with directory.owned():
        directory.create(settings)
        trainee = build_trainee(settings)
        trained = train_phase.run_training(trainee, directory, key, JAX)
    assert trained.numbers["seconds"] == seconds
