"""The study is a sweep of its own accord: a run for each member and beta, and one page."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gaugemc.choices.uses import used
from gaugemc.choices.validation import refuse
from gaugemc.conf.composition import composed, jobs
from gaugemc.conf.study import MEMBERS, STUDIES

TRAINED = {"heatbath": None, "l2hmc": "jump", "stout": None, "trained_stout": "forces"}


@pytest.mark.parametrize("mode", STUDIES)
def test_every_member_of_a_study_can_run(mode: str) -> None:
    params = STUDIES[mode]["hydra"]["sweeper"]["params"]
    sweep = jobs([f"mode={mode}", *(f"{key}={value}" for key, value in params.items())])
    assert len(sweep) == len(TRAINED) * len(params["theory.beta"].split(","))
    for words in sweep:
        settings = composed(words)
        refuse(settings)
        member = words[-1].removeprefix("member=")
        assert settings.theory.beta == float(words[1].partition("=")[2])
        assert settings.evaluate.flow_time == settings.theory.lattice[0] ** 2 / 32
        training = settings.training
        if TRAINED[member]:
            assert (training.objective, training.steps > 0) == (TRAINED[member], True)
        elif settings.sampler.trains:
            assert training.steps == 0


def test_the_untrained_member_stays_untrained() -> None:
    """Whatever is said of steps; the page tells it by the steps that config.yaml has."""
    for member, steps in {"l2hmc": 50, "stout": 0, "trained_stout": 50}.items():
        settings = composed(["mode=su3_4d_study", f"member={member}", "training.steps=50"])
        refuse(settings)
        assert used(settings)["training.steps"] == steps
        assert ("training.learning_rate" in used(settings)) == (steps > 0)


def test_the_command_line_wins_over_the_study(
    command: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    """One member on a small lattice of SU(2) at two betas."""
    small = ["theory=su2_2d", "theory.lattice=[4,4]", "theory.beta=2,3", "evaluate.flow_time=0"]
    small += ["evaluate.draws=8", "evaluate.hmc_draws=8", "evaluate.warmup=2", "progress=false"]
    sweep = f"hydra.sweep.dir={tmp_path / 'study'}"
    code, out, err = command("mode=su3_4d_study_quick", "member=heatbath", *small, sweep)
    assert (code, out.split()[-1]) == (0, str(tmp_path / "study/report.html")), err
    summaries = [json.loads((tmp_path / f"study/{n}/summary.json").read_text()) for n in (0, 1)]
    assert [s["sampler"]["name"] for s in summaries] == ["heatbath"] * 2
    assert [s["theory"]["beta"] for s in summaries] == [2.0, 3.0]
    assert all(s["hmc"] for s in summaries)
    assert not (tmp_path / "study/2").exists()


def test_a_member_that_cannot_run_ends_the_study_before_its_first_run(
    command: Callable[..., tuple[int, str, str]],
) -> None:
    code, _, err = command("mode=su3_4d_study", "theory.lattice=[3,4,4,4]")
    assert code == 2
    assert re.search(r"^gaugemc: job \d of 8, .*member=\w+: .*; no job was started$", err.strip())


def test_members_of_nothing_are_named(command: Callable[..., tuple[int, str, str]]) -> None:
    code, _, err = command("mode=su3_4d_study", "member=nobody")
    assert code == 2
    assert all(word in err for word in MEMBERS)
