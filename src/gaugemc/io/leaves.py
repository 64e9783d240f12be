"""How one leaf of a pytree becomes bytes: arrays, PRNG keys and Python scalars, bit for bit."""

import sys
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

ARRAY, NUMPY, NUMPY_SCALAR, KEY, STATIC = "array", "numpy array", "numpy scalar", "key", "static"
_ARRAYS = (ARRAY, NUMPY, NUMPY_SCALAR)
_PYTHON = {"bool": bool, "int": int, "float": float, "complex": complex, "str": str}


class Leaf(NamedTuple):
    """What a checkpoint's header says of a leaf."""

    name: str
    """Key path in the pytree, e.g. ".layers[0].weight"."""
    kind: str
    """"array", "numpy array", "numpy scalar", "key", the name of a Python scalar, or "static"."""
    shape: tuple[int, ...]
    dtype: str
    """Type of the elements; for PRNG keys the type of the key, e.g. `key<fry>`."""
    implementation: str
    """Name of a PRNG key's generator, e.g. "threefry2x32"."""


def describe(name: str, leaf: Any) -> Leaf:
    """The description of a leaf, which may be a jax.ShapeDtypeStruct in place of an array.

    Leaves that are neither arrays nor Python scalars (functions, say) are "static": code, which a
    checkpoint does not hold.

    Raises:
        TypeError: an array of a type that is no number (objects, strings).
    """
    if isinstance(leaf, jax.Array | jax.ShapeDtypeStruct):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            concrete = isinstance(leaf, jax.Array)
            implementation = str(jax.random.key_impl(leaf)) if concrete else ""
            return Leaf(name, KEY, leaf.shape, str(leaf.dtype), implementation)
        return Leaf(name, ARRAY, leaf.shape, leaf.dtype.name, "")
    if isinstance(leaf, np.ndarray | np.generic):
        if not (jnp.issubdtype(leaf.dtype, np.number) or leaf.dtype == np.bool_):
            raise TypeError(f"leaf {name} has dtype {leaf.dtype}: only numbers can be stored")
        kind = NUMPY if isinstance(leaf, np.ndarray) else NUMPY_SCALAR
        return Leaf(name, kind, leaf.shape, leaf.dtype.name, "")
    kind = type(leaf).__name__
    return Leaf(name, kind if _PYTHON.get(kind) is type(leaf) else STATIC, (), "", "")


def _little_endian(array: np.ndarray) -> np.ndarray:
    """The array with the bytes of each element in the file's order; itself on most machines."""
    order = sys.byteorder if array.dtype.byteorder == "=" else array.dtype.byteorder
    return array.astype(array.dtype.newbyteorder("<")) if order in (">", "big") else array


def encode(leaf: Any) -> bytes | memoryview:
    """The leaf's value as bytes, the least significant first."""
    if isinstance(leaf, bool | int):
        return int(leaf).to_bytes(leaf.bit_length() // 8 + 1, "little", signed=True)
    if isinstance(leaf, str):
        return leaf.encode("utf-8", "surrogatepass")
    if type(leaf) in (float, complex):
        leaf = np.asarray(leaf)
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    if isinstance(leaf, jax.Array | np.ndarray | np.generic):
        array = np.ascontiguousarray(_little_endian(np.asarray(leaf)))
        return array.reshape(-1).view(np.uint8).data
    return b""


def _elements(data: memoryview, dtype: str) -> np.ndarray:
    """A fresh array [element] of this machine's byte order."""
    native = jnp.dtype(dtype)
    array = np.frombuffer(data, np.uint8).copy().view(native)
    return array.byteswap() if sys.byteorder == "big" else array


def decode(leaf: Leaf, data: memoryview, like: Any) -> Any:
    """The value that `encode` wrote, as the kind of leaf that `like` is.

    If `like` is spread over several devices, the array is spread in the same way. A static leaf
    is taken from `like`.

    Raises:
        TypeError: a 64 bit array while jax_enable_x64 is off.
    """
    if leaf.kind == STATIC:
        return like
    if leaf.kind == "str":
        return bytes(data).decode("utf-8", "surrogatepass")
    if leaf.kind in ("bool", "int"):
        return _PYTHON[leaf.kind](int.from_bytes(data, "little", signed=True))
    if leaf.kind in ("float", "complex"):
        return _elements(data, "float64" if leaf.kind == "float" else "complex128")[0].item()
    if leaf.kind == KEY:
        words = jnp.asarray(_elements(data, "uint32").reshape(*leaf.shape, -1))
        return _placed(jax.random.wrap_key_data(words, impl=leaf.implementation), like)
    array = _elements(data, leaf.dtype).reshape(leaf.shape)
    kind = leaf.kind if isinstance(like, jax.ShapeDtypeStruct) else describe("", like).kind
    if kind != ARRAY:
        return array if kind == NUMPY else array[()]
    if jax.dtypes.canonicalize_dtype(array.dtype) != array.dtype:
        raise TypeError(f"leaf {leaf.name} has dtype {leaf.dtype} and jax_enable_x64 is off")
    return _placed(jnp.array(array), like)


def _placed(array: jax.Array, like: Any) -> jax.Array:
    sharding = getattr(like, "sharding", None)
    spread = sharding is not None and len(sharding.device_set) > 1
    return jax.device_put(array, sharding) if spread else array


def difference(stored: Leaf, wanted: Leaf) -> str | None:
    """In words, why a stored leaf cannot take the place of the wanted one; None where it can."""

    def kind(leaf: Leaf) -> str:
        return ARRAY if leaf.kind in _ARRAYS else leaf.kind

    if kind(stored) != kind(wanted):
        what, there, here = "is of kind", kind(stored), kind(wanted)
    elif stored.shape != wanted.shape:
        what, there, here = "has shape", str(stored.shape), str(wanted.shape)
    elif stored.dtype != wanted.dtype:
        what, there, here = "has dtype", stored.dtype, wanted.dtype
    else:
        return None
    cause = "precision" if what == "has dtype" else "architecture"
    return (
        f"leaf {stored.name} {what} {there} in the file and {here} in this run: "
        f"the checkpoint is of another {cause}"
    )
