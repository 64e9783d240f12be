"""The manual: code runs, commands compose, tables are complete, links lead somewhere."""

import dataclasses
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import nbclient
import nbformat
import pytest
from hydra import compose, initialize
from hydra.core.override_parser.overrides_parser import OverridesParser

from gaugemc.choices.menu import menu
from gaugemc.choices.schema import schema
from gaugemc.choices.settings import Settings
from gaugemc.conf import composition, groups, register
from gaugemc.conf.conversion import conversion
from gaugemc.conf.measurement import measurement
from gaugemc.conf.submission import submission
from gaugemc.run.extension import with_overrides

ROOT = Path(__file__).parent.parent
CLI = ROOT / "src" / "gaugemc" / "cli.py"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> list[str]:
    return [body for name, body in FENCE.findall(path.read_text()) if name == language]


PYTHON = [
    pytest.param(block, id=f"{relative(page)}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page, "python"))
]
COMMANDS = sorted(
    {
        line.split("#")[0].strip()
        for page in PAGES
        for line in "\n".join(blocks(page, "sh")).splitlines()
        if line.startswith("gaugemc ")
    }
)


def hook(path: str) -> ModuleType:
    """A hook of MkDocs, by its path in docs/."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / "docs" / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """The hook that writes the tables of the configuration page."""
    return hook("generate.py")


@pytest.mark.parametrize("code", PYTHON)
def test_python_runs(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("documentation")  # where equinox and typing look up annotations
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(code, "documentation", "exec"), module.__dict__)


def combinations(overrides: list[str]) -> Iterator[list[str]]:
    """The command lines that a sweep begins with: each override by its first value."""
    chosen = []
    for override, text in zip(OverridesParser.create().parse_overrides(overrides), overrides):
        if override.is_sweep_override():
            text = f"{override.get_key_element()}={next(override.sweep_string_iterator())}"
        chosen.append(text)
    yield chosen


def settings_of(overrides: list[str]) -> Settings:
    """The settings that a command line stands for."""
    register()
    with initialize(version_base="1.3", config_path=None):
        config = compose("command", overrides)
    return composition.settings_of(config)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_compose(command: str) -> None:
    words = command.split()[1:]
    if words[0] in ("resume", "report"):
        assert re.search(rf"gaugemc {words[0]} DIR\b", CLI.read_text())
        with_overrides(settings_of([]), words[2:], Path(words[1]))
        return
    if words[0] == "convert":
        assert conversion(words[1:])
        return
    if words[0] == "measure":
        assert measurement(words[1:])
        return
    if words[0] == "submit":
        words = list(submission(words[1:]).overrides)
    overrides = [word for word in words if not re.match(r"--multirun|hydra[/.]launcher", word)]
    for chosen in combinations(overrides):
        assert settings_of(chosen).theory.name


def test_there_are_examples_of_commands_and_code() -> None:
    assert len(COMMANDS) >= 8
    assert len(PYTHON) >= 9
    assert any("resume" in command for command in COMMANDS)


def fields(settings: type, prefix: str = "") -> Iterator[tuple[str, dataclasses.Field]]:
    """Every key of the configuration, with its field."""
    for f in dataclasses.fields(settings):
        if isinstance(f.type, type) and dataclasses.is_dataclass(f.type):
            yield from fields(f.type, f"{prefix}{f.name}.")
        else:
            yield prefix + f.name, f


def test_every_key_is_documented(generate: ModuleType) -> None:
    page = generate.on_page_markdown((ROOT / "docs/configuration.md").read_text())
    for key, field in fields(schema()):
        assert field.metadata.get("doc"), f"{key} has no documentation"
        doc = re.escape(field.metadata["doc"]).replace("beta", "(beta|β)")
        assert re.search(rf"^\| `{re.escape(key)}` \| .*{doc}", page, re.M), key


def test_every_choice_and_mode_is_documented(generate: ModuleType) -> None:
    page = generate.on_page_markdown((ROOT / "docs/configuration.md").read_text())
    for named in menu().values():
        for name, choice in named.items():
            assert re.search(
                rf"^\| `{name}`( \(default\))? \| {re.escape(str(choice.__doc__))}", page, re.M
            )
    assert all(f"### mode={name}" in page for name in groups.MODES)
    assert "| `training.steps` | `40` |" in page  # what mode=debug changes
    assert "`group` `SU3`, `lattice` `[6,6,6,6]`, `beta` `5.7`" in page


def anchors(text: str) -> set[str]:
    """The anchors that MkDocs gives to the headings of a page."""
    text = FENCE.sub("", text)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", h).strip().lower()) for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_lead_somewhere(page: Path, generate: ModuleType) -> None:
    text = FENCE.sub("", page.read_text())
    for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", text)):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        assert path.is_file(), f"{relative(page)}: {target}"
        if anchor:
            assert anchor in anchors(generate.on_page_markdown(path.read_text())), target


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    for page in PAGES[1:]:
        assert str(page.relative_to(ROOT / "docs")) in navigation


@pytest.mark.parametrize("path", NOTEBOOKS, ids=relative)
def test_notebooks_were_executed(path: Path) -> None:
    """All cells in order, with outputs, without errors or paths of a machine, under a megabyte."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not any(
        output.output_type == "error" or output.get("name") == "stderr" for output in outputs
    )
    assert not re.search(r"/(home|root|tmp|work|Users)/", str([dict(o) for o in outputs]))
    assert notebook.metadata.kernelspec.name == "python3"
    assert path.stat().st_size < 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=relative)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
def test_notebooks_run(path: Path) -> None:
    """About a minute on two idle cores."""
    if path.stem.endswith("_pytorch"):
        pytest.importorskip("torch")
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=1200, kernel_name="python3").execute()
