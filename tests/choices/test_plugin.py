"""A package of a user's own: made from the manual's text, installed, and run from the command."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from gaugemc.choices import menu
from gaugemc.choices.choice import Choice, FlowChoice, SamplerChoice
from gaugemc.choices.flows.ncp import NCPFlow
from gaugemc.choices.flows.spline import SplineFlow
from gaugemc.choices.menu import PluginError
from gaugemc.choices.option import option
from gaugemc.io.ensemble import read_draws

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
FILE = re.compile(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
Command = Callable[..., subprocess.CompletedProcess[str]]


def installed(package: Path, site: Path, name: str = "gaugemc-walks") -> None:
    """What an installer leaves of a package: that it is there, and its entry points."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["gaugemc.choices"]
    metadata = site / f"{name.replace('-', '_')}-0.1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    lines = [f"{key} = {value}" for key, value in points.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[gaugemc.choices]", *lines, ""]))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the manual."""
    root = tmp_path_factory.mktemp("package")
    for name, text in FILE.findall(PAGE.read_text()):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    installed(root, root)
    return root


@pytest.fixture
def command(package: Path, tmp_path: Path) -> Command:
    """Runs a command where the package is installed."""
    path = os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")])
    own = {"PYTHONPATH": path, "COLUMNS": "100", "XDG_CACHE_HOME": str(package / "cache")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *words],
            env={**os.environ, **own},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_help_and_refusals_know_its_choices(command: Command) -> None:
    words = " ".join(command("gaugemc", "--help").stdout.split())
    assert " flow=moebius Couplings with one Moebius map. " in words
    assert " sampler=walk Random-walk Metropolis in the variables of a trained flow. " in words
    assert " theory=phi4 A real scalar field with a quartic coupling. " in words
    assert "- theory.quartic=0.2 coefficient of phi^4 " in words
    assert "- sampler.width=0.1 standard deviation of a step of each component " in words
    for mistake, expected in (
        ("sampler.width=0", "sampler.width=0.0: must be positive and finite"),
        ("sampler.width=4", "sampler.width=4.0: walks around the circle: 3 or less"),
        ("sampler.width=x", "sampler.width=x: must be a number"),
        (
            "theory=phi4",
            "sampler=walk: phi^4 theory has no links: choose sampler=hmc",
        ),
        ("theory=phi4 sampler=hmc theory.quartic=0", "theory.quartic=0.0: must be positive"),
        ("theory=phi4 sampler=hmc hydra.run.dir=/dev/null/x", "/dev/null/x: cannot be written: "),
        (
            "flow=nope",
            "flow=nope: choose one of continuous, flux, moebius, multiscale, ncp, pair, spline",
        ),
    ):
        done = command("gaugemc", "sampler=walk", "flow=moebius", *mistake.split())
        assert done.returncode == 2
        assert done.stderr.startswith(f"gaugemc: {expected}")
        assert done.stderr.count("\n") == 1


def test_a_run_of_its_choices_goes_from_the_command_to_the_report(
    command: Command, tmp_path: Path
) -> None:
    tiny = "theory.lattice=[4,4] chains=4 flow.n_layers=2 network.hidden=[4] training.steps=4"
    more = "evaluate.hmc_draws=0 evaluate.draws=60 evaluate.timing_rounds=1 hydra.run.dir=run"
    words = ["sampler=walk", "flow=moebius", "flow.stretch=0.5", "mode=debug", "progress=false"]
    done = command("gaugemc", *words, *tiny.split(), *more.split())
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    parameters = summary["sampler"]["parameters"]
    assert summary["sampler"]["name"] == "walk"
    assert parameters["sampler"] == {"name": "walk", "width": 0.1}
    assert parameters["flow"] == {"name": "moebius", "load": None, "n_layers": 2, "stretch": 0.5}
    assert "FT random walk ran with acceptance" in summary["verdict"]
    assert "FT random walk" in (tmp_path / "run/report.html").read_text()
    assert 0.1 < read_draws(tmp_path / "run/chains/evaluate.h5")[0].info.acceptance.mean() < 1


def test_the_tests_of_the_package_pass(command: Command, package: Path) -> None:
    done = command("pytest", "-q", "-p", "no:cacheprovider", str(package / "tests"))
    assert done.returncode == 0, done.stdout


def test_a_broken_package_is_one_line(command: Command, package: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    text = (package / "pyproject.toml").read_text().replace("gaugemc_walks.choices", "nowhere")
    (broken / "pyproject.toml").write_text(text)
    installed(broken, tmp_path, "gaugemc-broken")  # the working directory is searched first
    for words in (["--help"], ["mode=debug"], ["resume", str(tmp_path / "run")]):
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run/config.yaml").write_text("seed: 1\n")
        done = command("gaugemc", *words)
        line = "gaugemc: package gaugemc-broken: nowhere: ModuleNotFoundError: No module named"
        assert done.returncode == 2
        assert done.stderr.startswith(line)
        assert done.stderr.count("\n") == 1


class Taken(SplineFlow):
    """A flow whose word is taken."""

    name: str = "ncp"


class Untyped(SplineFlow):
    """A flow with a key of another type."""

    name: str = "other"
    bound: str = option("4", "largest log-scale")


class Silent(SplineFlow):
    """A flow with a key that is not explained."""

    name: str = "other"
    depth_of_table: int = 3


class Empty(SamplerChoice):
    """A sampler that builds nothing."""

    name: str = "other"


class Elsewhere(SplineFlow):
    """A choice of a group that gaugemc does not have."""

    of_group = "kernel"


@pytest.mark.parametrize(
    ("choice", "problem"),
    [
        (Taken, "flow=ncp: gaugemc.choices.flows.ncp has this choice"),
        (Untyped, "flow=other: flow.bound is of another type in other choices"),
        (Silent, "flow=other: depth_of_table has no documentation"),
        (Empty, "sampler=other: lacks build"),
        (Elsewhere, "kernel=spline: no such group; choose one of flow, sampler"),
    ],
)
def test_a_choice_that_does_not_fit_is_told_with_its_package(
    choice: type[Choice], problem: str
) -> None:
    found: dict[str, dict[str, type[Choice]]] = {"flow": {"ncp": NCPFlow}, "sampler": {}}
    with pytest.raises(PluginError, match=re.escape(f"package walks: {problem}")):
        menu.add(found, choice, "walks")
    assert found == {"flow": {"ncp": NCPFlow}, "sampler": {}}


def test_a_choice_that_fits_is_on_the_menu() -> None:
    found: dict[str, dict[str, type[Choice]]] = {"flow": {"ncp": NCPFlow}}
    menu.add(found, SplineFlow, "walks")
    assert list(found["flow"]) == ["ncp", "spline"]
    assert issubclass(found["flow"]["spline"], FlowChoice)
