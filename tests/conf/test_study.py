"""The study is a sweep of its own accord: a run for each member and beta, and one page."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from synthetic_run import put_run

from gaugemc.choices.sweep import jobs
from gaugemc.choices.traits import baseline
from gaugemc.choices.uses import used
from gaugemc.choices.validation import refuse
from gaugemc.conf.composition import composed
from gaugemc.conf.study import MEMBERS, STUDIES, TOYS

TRAINED = {"heatbath": None, "l2hmc": "jump", "stout": None, "trained_stout": "forces"}


@pytest.mark.parametrize("more", [[], ["theory.action=dbw2"]], ids=["wilson", "dbw2"])
@pytest.mark.parametrize("mode", [mode for mode in STUDIES if mode.startswith("su3")])
def test_every_member_of_the_study_can_run(mode: str, more: list[str]) -> None:
    params = STUDIES[mode]["hydra"]["sweeper"]["params"]
    words = [f"mode={mode}", *more, *(f"{key}={value}" for key, value in params.items())]
    sweep = jobs(words)
    assert len(sweep) == len(TRAINED) * len(params["theory.beta"].split(","))
    for words in sweep:
        settings = composed(words)
        refuse(settings)
        member = words[-1].removeprefix("member=")
        assert f"theory.beta={settings.theory.beta:g}" in words
        assert settings.evaluate.flow_time == settings.theory.lattice[0] ** 2 / 32
        training = settings.training
        if TRAINED[member]:
            assert (training.objective, training.steps > 0) == (TRAINED[member], True)
        elif settings.sampler.trains:
            assert training.steps == 0


FIXED = ("member=damped_flow", "member=best_couplings")
"""FT-HMC with trajectories as told."""
PAPERS = [mode for mode in STUDIES if mode.startswith("paper")]


@pytest.mark.parametrize("mode", PAPERS)
def test_every_run_of_a_paper_can_run(mode: str) -> None:
    params = STUDIES[mode]["hydra"]["sweeper"]["params"]
    sweep = jobs([f"mode={mode}", *(f"{key}={value}" for key, value in params.items())])
    assert f"{mode.removesuffix('_quick')}_quick" in PAPERS
    seen = set()
    for words in sweep:
        settings = composed(words)
        refuse(settings)
        sampler = settings.sampler
        assert baseline(settings) == "hmc"
        told = sampler.has_trajectories and not sampler.tuned
        assert (sampler.name == "hmc") == words[-1].startswith("member=hmc")
        assert told == (sampler.name == "hmc" or words[-1] in FIXED)
        seen.add(json.dumps(used(settings)))
    assert len(seen) == len(sweep)


def test_the_toys_have_the_ten_steps_of_the_paper() -> None:
    told = [
        used(composed(["mode=paper_1711_09268", f"theory={toy}", "member=hmc"]))
        for toy in TOYS.split(",")
    ]
    assert {settings["sampler.n_steps"] for settings in told} == {10}
    assert [settings["sampler.trajectory_length"] for settings in told] == [4.4, 1.6, 0.6, 1.6]


def test_hmc_as_told_is_compared_with_tuned_hmc(
    command: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    small = ["theory.lattice=[4,4]", "theory.beta=2", "progress=false"]
    small += ["evaluate.draws=40", "evaluate.hmc_draws=40", "evaluate.burn_in=0"]
    place = tmp_path / "paper"
    words = ["mode=paper_2105_03418_quick", "member=hmc_half,hmc_two", *small]
    code, _, err = command(*words, f"hydra.sweep.dir={place}")
    assert code == 0, err
    half, two = (json.loads((place / f"{n}/summary.json").read_text()) for n in (0, 1))
    assert [s["evaluate"]["force_evaluations"] for s in (half, two)] == [10, 40]
    assert half["hmc"]["observables"] == two["hmc"]["observables"]  # the second run took it
    assert half["comparison"]["charge"]["ess_per_second_ratio"] > 0
    page = (place / "report.html").read_text()
    assert "HMC (length 0.5 in 5 steps)" in page
    assert "HMC (length 2 in 20 steps)" in page


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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("mode=su3_4d_study sampler=hmc", "sampler=hmc: member=heatbath sets sampler=heatbath: "),
        ("member=l2hmc sampler=heatbath", "sampler=heatbath: member=l2hmc sets sampler=l2hmc: "),
        ("mode=su3_4d_study flow=ncp", "flow=ncp: member=stout sets flow=stout: leave flow out"),
        ("--multirun member=l2hmc,stout flow=ncp", "flow=ncp: member=stout sets flow=stout"),
        ("mode=su3_4d_study --cfg job", "--cfg: a study is several jobs: give one theory.beta and"),
        ("mode=su3_4d_study member=stout --cfg job", "--cfg: a study is several jobs"),
    ],
)
def test_what_members_decide_is_not_decided_again(
    command: Callable[..., tuple[int, str, str]], words: str, said: str
) -> None:
    *before, last = words.split(" --cfg ") if "--cfg" in words else (words,)
    arguments = ["--cfg", last, *before[0].split()] if before else last.split()
    code, out, err = command(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"gaugemc: {said}")


def test_one_job_of_a_study_shows_its_settings(
    command: Callable[..., tuple[int, str, str]],
) -> None:
    code, out, _ = command("--cfg", "job", "mode=su3_4d_study", "theory.beta=5.9", "member=l2hmc")
    assert code == 0
    assert "beta: 5.9" in out
    assert "name: l2hmc" in out
    assert command("member=stout", "sampler=fthmc", "theory=su3_4d", "--help")[0] == 0
    assert " theory.beta=5.7 " in " ".join(command("mode=su3_4d_study", "--help")[1].split())


def test_a_sweep_is_not_resumed_as_a_run(
    command: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    for number in (0, 1):
        put_run(tmp_path / f"study/{number}", {})
    code, out, err = command("resume", "study")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert (
        "study is a sweep of 2 runs: go on with the same command and hydra.sweep.dir=study" in err
    )
    assert err.endswith("gaugemc resume study/0\n")


def test_members_of_nothing_are_named(command: Callable[..., tuple[int, str, str]]) -> None:
    code, _, err = command("mode=su3_4d_study", "member=nobody")
    assert code == 2
    assert all(word in err for word in MEMBERS)
