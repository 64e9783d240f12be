"""Shared by tests: float64 sums, a key that follows from the test's name, programs kept on disk, a
quick compiler."""

import os
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import pytest

jax.config.update("jax_enable_x64", True)


def pytest_configure(config: pytest.Config) -> None:
    """Compiled programs are kept in pytest's cache, for the next file, the other workers and the
    next call: nearly all the time of the tests is the compiler's. A program is found by what it
    computes, the flags and the version of the compiler; `pytest --cache-clear` forgets them all.
    Processes that tests start keep theirs elsewhere: a killed one leaves half a program."""
    if not config.pluginmanager.has_plugin("cacheprovider"):
        return
    assert config.cache is not None
    jax.config.update("jax_compilation_cache_dir", str(config.cache.mkdir("programs")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@pytest.fixture
def key(request: pytest.FixtureRequest) -> jax.Array:
    """A random key for this test alone, the same in every run and in whichever folder it is."""
    _, separator, test = request.node.nodeid.partition("::")
    name = f"tests/{request.path.name}{separator}{test}"
    return jax.random.key(zlib.crc32(name.encode()))


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that is written reaches the disk."""

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in this process, in an empty directory; returns code, stdout, stderr."""
    from hydra.core.global_hydra import GlobalHydra

    from gaugemc import __main__  # not before jaxtyping's hook is there

    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        GlobalHydra.instance().clear()
        monkeypatch.setattr(sys, "argv", ["gaugemc", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            __main__.main()
        out, err = capfd.readouterr()
        return int(end.value.code or 0), out, err

    return run


@pytest.fixture(scope="module", autouse=True)
def _forget_programs() -> Iterator[None]:
    """Compiled programs are dropped after each file: a process may hold 65530 memory maps on Linux,
    all the tests together made more, and the compiler crashes where it gets no other."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="module")
def quick_compilation() -> Iterator[None]:
    """For tests whose time is that of the compiler: it optimises as little as possible."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def full_compilation(quick_compilation: None) -> Iterator[None]:
    """For a test of roundings in such a file: it is about the programs that a user gets."""
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", True)
