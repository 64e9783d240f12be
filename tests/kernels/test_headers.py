"""The elementary functions and random numbers of the compiled kernels, against NumPy and JAX."""

import ctypes
from collections.abc import Callable
from pathlib import Path

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.kernels import native
from gaugemc.kernels.native import library

pytestmark = pytest.mark.skipif(
    not native.kernels(3, jnp.complex128), reason="no compiled kernels here"
)

COUNT = 4096
FUNCTIONS: dict[str, tuple[Callable, float, float, float]] = {
    "logarithm": (np.log, 1e-6, 1.0, 0.0),
    "logarithm_of_one_plus": (np.log1p, -0.97, 0.0, 0.0),
    "one_minus_exponential": (lambda x: -np.expm1(-x), 0.0, 1.7, 0.0),
    "cosine": (lambda x: np.cos(2 * np.pi * x), 0.0, 1.0, 1.0),
    "sine": (lambda x: np.sin(2 * np.pi * x), 0.0, 1.0, 1.0),
}
"""What NumPy says in float128, an interval, and the size that rounding is measured by."""


@pytest.fixture(scope="module")
def headers(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    built = tmp_path_factory.mktemp("headers") / "headers.so"
    source = Path(__file__).parent / "headers.cc"
    command = [
        *library._compiler(),
        *library._FLAGS,
        "-shared",
        f"-I{library.SOURCES}",
        str(source),
    ]
    library._run([*command, "-o", str(built)])
    return ctypes.CDLL(str(built))


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


@pytest.mark.parametrize("real", [np.float64, np.float32])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_elementary_functions_are_exact_to_rounding(
    name: str, real: type, headers: ctypes.CDLL
) -> None:
    """On an even grid and towards both ends, where relative errors would show."""
    exact, low, high, size = FUNCTIONS[name]
    grid = np.linspace(low, high, COUNT // 2 + 1)[:-1]
    near = (high - low) * 10.0 ** -np.linspace(0.5, 12, COUNT // 4)
    x = np.concatenate([grid, low + near, high - near]).astype(real)
    result = np.empty_like(x)
    getattr(headers, f"{name}_{real.__name__}")(len(x), pointer(x), pointer(result))
    expected = exact(x.astype(np.longdouble))
    error = np.abs(result - expected) / np.where(size, size, np.abs(expected) + (expected == 0))
    assert error.max() < 4 * np.finfo(real).eps


@pytest.mark.parametrize("real", [np.float64, np.float32])
@pytest.mark.parametrize("offset", [0, 12_345, 2**32 - 100])
def test_uniforms_are_those_of_jax(
    offset: int, real: type, headers: ctypes.CDLL, key: jax.Array
) -> None:
    """Bit for bit, also where the place is not a number of 32 bits."""
    ours = np.empty(COUNT, real)
    words = np.asarray(jax.random.key_data(key))
    uniform = getattr(headers, f"uniform_{real.__name__}")
    uniform(pointer(words), ctypes.c_uint64(offset), COUNT, pointer(ours))
    places = offset + np.arange(COUNT)
    if offset < 2**31:
        theirs = jax.random.uniform(key, (offset + COUNT,), real)[offset:]
    else:  # too long an array: the numbers that jax.random makes of the cipher
        bits = np.asarray(cipher(key, places))
        theirs = to_fractions(bits, real)
    np.testing.assert_array_equal(ours, theirs)


def cipher(key: jax.Array, places: np.ndarray) -> jax.Array:
    """Threefry's two words for each place."""
    counts = np.concatenate([places >> 32, places & 0xFFFFFFFF]).astype(np.uint32)
    words = jax.random.key_data(key)
    return jax.extend.random.threefry_2x32(words, jnp.asarray(counts)).reshape(2, -1)


def to_fractions(bits: np.ndarray, real: type) -> np.ndarray:
    high, low = bits.astype(np.uint64)
    if real is np.float32:
        return ((high ^ low) >> np.uint64(9)).astype(np.float32) / np.float32(2**23)
    return ((high << np.uint64(32) | low) >> np.uint64(12)).astype(float) / 2.0**52
