"""Building, keeping and loading the compiled kernels, and doing without them.

The compilers here are scripts that copy the library of this machine, so that they take no time.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jax.numpy as jnp
import pytest

from gaugemc.kernels import native
from gaugemc.kernels.cache import cache_directory
from gaugemc.kernels.native import library

pytestmark = pytest.mark.skipif(
    not native.kernels(3, jnp.complex128), reason="no compiled kernels here"
)


class Compiler:
    """A compiler that takes notes, in a cache of its own."""

    def __init__(self, directory: Path, build: str):
        self.cache = directory / "cache" / "gaugemc"
        self.notes = directory / "notes"
        script = directory / "compiler"
        script.write_text(
            f'#!/bin/sh\ncase "$*" in\n*-dM*) echo "#define __VERSION__ 1";;\n'
            f"*-shared*) echo building >> {self.notes};;\nesac\n"
            f'case "$*" in *-dM*) ;; *) for last; do :; done; {build};; esac\n'
        )
        script.chmod(0o755)
        self.environment = {"CXX": str(script), "XDG_CACHE_HOME": str(directory / "cache")}

    @property
    def builds(self) -> int:
        return len(self.notes.read_text().splitlines()) if self.notes.exists() else 0

    @property
    def library(self) -> Path:
        (path,) = self.cache.glob("native-*.so")
        return path


@pytest.fixture(scope="module")
def built() -> Path:
    """The library of this machine."""
    directory = cache_directory()
    assert directory
    return directory / f"native-{library.load()[0]}.so"


@pytest.fixture
def compiler(
    request: pytest.FixtureRequest, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Compiler:
    build = getattr(request, "param", "sleep 0.2; cp {} $last").format(built)
    compiler = Compiler(tmp_path, build)
    for name, value in compiler.environment.items():
        monkeypatch.setenv(name, value)
    return compiler


@pytest.fixture
def anew() -> Iterator[None]:
    """The kernels are looked for as in a new process."""
    library.targets.cache_clear()
    yield
    library.targets.cache_clear()


def test_built_once_and_kept(compiler: Compiler) -> None:
    for _ in range(2):
        key, loaded = library.load()
        assert loaded.gaugemc_trajectory
        assert compiler.library.name == f"native-{key}.so"
    assert compiler.builds == 1
    assert [path.name for path in compiler.cache.iterdir() if path.is_dir()] == []


def test_two_processes_build_once(compiler: Compiler) -> None:
    code = "from gaugemc.kernels.native.library import load; load()"
    both = [
        subprocess.Popen([sys.executable, "-c", code], env=os.environ | compiler.environment)
        for _ in range(2)
    ]
    assert [process.wait() for process in both] == [0, 0]
    assert compiler.builds == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[: len(content) // 2],
        lambda content: content[:1000] + bytes([content[1000] ^ 1]) + content[1001:],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    ],
    ids=["empty", "header", "half", "bit", "digest"],
)
def test_a_damaged_library_is_built_again(compiler: Compiler, damage) -> None:
    library.load()
    path = compiler.library
    content = path.read_bytes()
    path.unlink()  # the file that this process has loaded keeps its bytes
    path.write_bytes(damage(content))
    library.load()
    assert compiler.builds == 2
    assert compiler.library.read_bytes() == content


def test_other_sources_and_other_compilers_have_other_libraries(
    compiler: Compiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = library.load()
    script = Path(compiler.environment["CXX"])
    script.write_text(script.read_text().replace("__VERSION__ 1", "__VERSION__ 2"))
    second, _ = library.load()
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "kernels.cc").write_text("// other")
    monkeypatch.setattr(library, "SOURCES", sources)
    third, _ = library.load()
    assert len({first, second, third}) == 3
    assert compiler.builds == 3


@pytest.mark.parametrize(
    ("compiler", "environment", "complaint"),
    [
        ('echo "a.h:1: error: no" >&2; exit 3', {}, r"compiler ended with 3 \(a.h:1: error: no\)"),
        ("exit 1", {}, r"ended with 1 \(no reason given\)"),
        ("true", {}, r"No such file"),
        ("echo nonsense > $last", {}, r"native-\w+\.so"),
        ("true", {"CXX": "/nowhere/c++ -O"}, r"no C\+\+ compiler \(/nowhere/c\+\+ -O\)"),
        ("true", {"CXX": "", "PATH": "/nowhere"}, r"no C\+\+ compiler \(g\+\+, clang\+\+, c\+\+\)"),
        ("true", {"CXX": "false"}, r"false ended with 1"),
        ("true", {"XDG_CACHE_HOME": "/dev/null"}, "cannot be written; set XDG_CACHE_HOME"),
    ],
    indirect=["compiler"],
)  # fmt: skip
def test_without_kernels_one_line_says_why(
    compiler: Compiler,
    environment: dict[str, str],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    anew: None,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(library.NativeError, match=complaint):
        library.load()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert not native.kernels(3, jnp.complex128)
    (record,) = caplog.records
    line = record.getMessage()
    assert line.startswith("no compiled kernels: ")
    assert line.endswith(": XLA's code runs, which takes longer")
    assert "\n" not in line
