"""Shared by all tests: float64 sums on, and a key that follows from the test's name."""

import zlib

import jax
import pytest

jax.config.update("jax_enable_x64", True)


@pytest.fixture
def key(request: pytest.FixtureRequest) -> jax.Array:
    """A random key for this test alone, the same in every run."""
    return jax.random.key(zlib.crc32(request.node.nodeid.encode()))
