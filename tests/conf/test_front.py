"""What is answered before JAX is imported: help, the version, mistakes; and what modes choose."""

import dataclasses
import subprocess
import sys

import pytest
from hydra.core.global_hydra import GlobalHydra

import gaugemc
from gaugemc.choices.menu import menu
from gaugemc.choices.schema import schema
from gaugemc.choices.sweep import jobs
from gaugemc.conf import groups
from gaugemc.conf.composition import composed
from gaugemc.conf.front import answer
from gaugemc.conf.help import VERBS, help_text
from gaugemc.samplers.l2hmc.trainable_leapfrog import NETWORKS


@pytest.fixture(autouse=True)
def _no_hydra_of_another_test() -> None:
    GlobalHydra.instance().clear()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--version"], 0),
        (["--help"], 0),
        (["resume", "--help"], 0),
        (["help", "report"], 0),
        (["foo"], 2),
        (["--foo"], 2),
        (["seed=x"], 2),
        (["resume"], 2),
        (["convert", "in"], 2),
        (["convert", "in", "out", "--lattice=4,x"], 2),
        (["convert", "in", "out", "--form=ildg"], 2),
        (["measure"], 2),
        (["submit", "--help"], 0),
        (["submit", "--system=lsf"], 2),
        (["measure", "a", "--flow-time=0"], 2),
        (["measure", "a", "--tolerance=1e-5"], 2),
        (["theory.beta=-1"], 2),
        (["sampler=l2hmc", "theory=su3_2d", "loss.charge_weight=1"], 2),
        (["chains=1000000000"], 2),
        (["observables.0=plaquette"], 2),
        (["observables=plaquette"], 2),
        (["hydra=1"], 2),
        (["beside=ring"], 2),
        (["--multirun", "--cfg", "job", "theory.beta=1,2"], 2),
    ],
)
def test_an_answer_needs_no_jax(arguments: list[str], code: int) -> None:
    program = (
        "import sys; from gaugemc.conf.front import answer; code = answer(sys.argv[1:]);"
        " assert 'jax' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert bool(done.stdout) == (code == 0)
    assert bool(done.stderr) == (code == 2)


def test_there_is_no_answer_where_there_is_work() -> None:
    assert answer(["mode=debug", "seed=2"]) is None
    assert answer(["--multirun", "seed=1,2"]) is None
    assert answer(["resume", "somewhere"]) is None


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["--version"]) == 0
    assert capsys.readouterr().out == f"gaugemc {gaugemc.__version__}\n"


@pytest.mark.parametrize("verb", list(VERBS))
def test_each_command_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: gaugemc {verb} ")
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("width", [80, 120])
def test_help_explains_every_key_within_the_width(width: int) -> None:
    text = help_text(composed([]), width)
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    for group in dataclasses.fields(schema()):
        members = dataclasses.fields(group.type) if dataclasses.is_dataclass(group.type) else ()
        for name, field in [(f"{group.name}.{f.name}", f) for f in members] or [
            (group.name, group)
        ]:
            if not field.metadata["doc"].startswith("the choice: "):
                assert f" {name}=" in words
                assert field.metadata["doc"] in words
    for group, choices in menu().items():
        for word, choice in choices.items():
            assert f" {group}={word} {choice.__doc__}" in words
    for verb in VERBS:
        assert f"gaugemc {verb} " in text
    for group, choices in groups.words().items():
        if len(choices) > 1:
            assert f" {group} {', '.join(choices)}" in words


def test_help_shows_the_defaults_beside_a_choice_and_marks_the_unused() -> None:
    words = " ".join(help_text(composed(["sampler=l2hmc"])).split())
    assert " training.objective=jump " in words
    assert "- flow.bins=8 " in words
    assert "- dynamics.n_leapfrog=4" not in words


@pytest.mark.parametrize(
    ("overrides", "beta"),
    [
        (["mode=debug"], 2.0),
        (["mode=debug", "theory=su3_4d"], 5.7),
        (["mode=debug", "theory=su2_2d"], 4.0),
        (["mode=debug", "theory=ring", "sampler=l2hmc"], 1.0),
        (["mode=debug", "theory.beta=3"], 3.0),
        (["mode=demo"], 6.0),
        (["mode=demo", "theory=su2_2d"], 4.0),
        (["theory.beta=3", "mode=demo"], 3.0),
    ],
)
def test_a_mode_changes_the_beta_of_its_own_theory_alone(overrides: list[str], beta: float) -> None:
    assert composed(overrides).theory.beta == beta


def test_l2hmc_begins_with_the_network_that_its_library_does() -> None:
    network = composed(["sampler=l2hmc"]).network
    assert (tuple(network.hidden), network.kernel_size) == NETWORKS["force"]


def test_the_jobs_of_a_sweep() -> None:
    assert jobs(["seed=1,2", "chains=4", "theory.beta=range(2,4)"]) == [
        ["seed=1", "chains=4", "theory.beta=2"],
        ["seed=1", "chains=4", "theory.beta=3"],
        ["seed=2", "chains=4", "theory.beta=2"],
        ["seed=2", "chains=4", "theory.beta=3"],
    ]
    assert jobs(["theory.lattice=[8,8]", "seed=1", "seed=2"]) == [
        ["theory.lattice=[8,8]", "seed=2"]
    ]


def test_every_group_of_the_defaults_list_is_in_the_help() -> None:
    entries = [next(iter(entry)) for entry in groups.command()().defaults if entry != "_self_"]
    assert {name for name in entries if " " not in name} == set(groups.words())
