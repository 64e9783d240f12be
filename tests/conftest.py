"""Shared by tests: float64 sums, a key that follows from the test's name, a quick compiler."""

import zlib
from collections.abc import Iterator

import jax
import pytest

jax.config.update("jax_enable_x64", True)


@pytest.fixture
def key(request: pytest.FixtureRequest) -> jax.Array:
    """A random key for this test alone, the same in every run and in whichever folder it is."""
    _, separator, test = request.node.nodeid.partition("::")
    name = f"tests/{request.path.name}{separator}{test}"
    return jax.random.key(zlib.crc32(name.encode()))


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
