"""The shape of the package: imports go one way, and importing changes nothing."""

import ast
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_docs import ROOT, hook

import gaugemc

SOURCE = Path(str(gaugemc.__file__)).parent
rooms, walk = hook("hooks/rooms.py"), hook("hooks/walk.py")
ORDER = rooms.rooms((ROOT / "docs" / "architecture.md").read_text())
"""From the ground up."""
FREE = ("__init__", "__main__", "cli", "interop")  # import anything; nothing imports them


def imported(module: str, package: bool, source: str) -> set[str]:
    """Dotted names of everything that a module imports, at any depth of its code."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: len(module.split(".")) - node.level + package]
            start = ".".join(base) if node.level else ""
            origin = ".".join(filter(None, (start, node.module)))
            names |= {f"{origin}.{alias.name}" for alias in node.names}
    return names


def violations(root: Path) -> list[str]:
    """Imports in the package at `root` that go against ORDER, as "file imports name"."""
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = (root.name, *path.relative_to(root).with_suffix("").parts)
        folder, package = parts[1], parts[-1] == "__init__"
        module = ".".join(parts[:-1] if package else parts)
        if folder in FREE:
            continue
        allowed = ORDER[: ORDER.index(folder) + 1] if folder in ORDER else ()
        for name in sorted(imported(module, package, path.read_text())):
            top, _, rest = name.partition(".")
            target = rest.split(".")[0]
            if top == root.name and target not in (*allowed, "", "__version__"):
                found.append(f"{path.relative_to(root)} imports {name}")
    return found


def test_imports_go_one_way() -> None:
    assert violations(SOURCE) == []


@pytest.mark.parametrize(
    ("file", "line", "wrong"),
    [
        ("flows/a.py", "from p.groups import G", False),
        ("flows/a.py", "from p.flows.b import B", False),
        ("flows/a.py", "from p import __version__", False),
        ("flows/a.py", "import numpy.training", False),
        ("flows/a.py", "from p.training import T", True),
        ("flows/a.py", "import p.training.loop", True),
        ("flows/a.py", "from p import training", True),
        ("flows/a.py", "from ..training import T", True),
        ("flows/a.py", "from .. import training", True),
        ("flows/__init__.py", "from ..training import T", True),
        ("flows/__init__.py", "from .a import A", False),
        ("flows/a.py", "def f():\n    from p.cli import main", True),
        ("io/a.py", "from p.run import E", True),
        ("run/a.py", "from p.io import E", False),
        ("groups/a.py", "from p.interop import torch", True),
        ("cli.py", "from p.run import E", False),
        ("unknown/a.py", "from p.groups import G", True),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, file: str, line: str, wrong: bool) -> None:
    path = tmp_path / "p" / file
    path.parent.mkdir(parents=True)
    path.write_text(line)
    assert bool(violations(tmp_path / "p")) == wrong


def test_every_room_is_in_the_manual() -> None:
    found = {p.stem for p in SOURCE.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
    assert set(ORDER) == found - {"__init__", "__main__"}


def test_the_picture_shows_every_import() -> None:
    """The picture's count of imports knows the same rooms as the rule."""
    arrows = rooms.imports(SOURCE)
    assert all(ORDER.index(a) > ORDER.index(b) for a, b in arrows if a in ORDER and b in ORDER)
    drawn = rooms.picture(ORDER, arrows, rooms.lines(SOURCE))
    assert drawn.count("<circle") == len([a for a in arrows if set(a) <= set(ORDER)])
    assert "samplers imports theories" in drawn


def test_one_trajectory_is_at_most_seven_hops() -> None:
    """Each function of the walk in docs/architecture.md calls the next."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    stops = walk.stops(ROOT / "src", walk.WALK.findall(page)[0].split())
    leapfrog = [stop.path for stop in stops].index("gaugemc.samplers.hmc.integrator.trajectory")
    assert leapfrog <= 7
    for here, there in itertools.pairwise(stops):
        code = re.sub(r'""".*?"""', "", here.source, flags=re.DOTALL).partition("\n")[2]
        assert re.search(rf"\b{there.name.split('.')[-1]}\)?\(", code)
    assert f"`{stops[0].file}:{stops[0].line}`" in walk.table(stops)
    assert all(stop.what for stop in stops)


def test_every_file_has_the_name_of_what_it_holds() -> None:
    nameless = ("util", "utils", "helper", "helpers", "common", "misc")
    parts = {path: path.relative_to(SOURCE).with_suffix("").parts for path in SOURCE.rglob("*")}
    assert [path for path, names in parts.items() if set(names) & set(nameless)] == []


IMPORT_EVERYTHING = """
import importlib, pathlib, sys
import jax
before = dict(jax.config.values)
import gaugemc
root = pathlib.Path(gaugemc.__path__[0])
for path in sorted(root.rglob("*.py")):
    parts = path.relative_to(root.parent).with_suffix("").parts
    name = ".".join(parts).removesuffix(".__init__")
    foreign = tuple(f"gaugemc.interop.{framework}" for framework in ("torch", "tensorflow"))
    if not name.startswith((*foreign, "gaugemc.__main__")):
        importlib.import_module(name)
assert "gaugemc.io.checkpoint" in sys.modules
changed = [name for name, value in jax.config.values.items() if before.get(name, value) != value]
assert not changed, f"changed jax.config: {changed}"
assert not jax.config.jax_enable_x64
foreign = {"torch", "tensorflow"} & set(sys.modules)
assert not foreign, f"imported {foreign}"
jax.config.update("jax_num_cpu_devices", 2)  # fails once an import has made an array
"""


def test_importing_has_no_side_effects(tmp_path: Path) -> None:
    for framework in ("torch", "tensorflow"):  # so that an import succeeds, and shows
        (tmp_path / f"{framework}.py").touch()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "XLA_"))}
    environment["PYTHONPATH"] = os.pathsep.join((str(tmp_path), str(SOURCE.parent)))
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
