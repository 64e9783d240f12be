"""Checkpoints: a pytree in one file, written atomically, checksummed and bit-exact.

Layout: magic string, format version (uint32), length of the header (uint64), header (JSON: the
metadata, and of every leaf its key path, kind, shape, dtype and length in bytes), the leaves' bytes
in order, and the SHA-256 of everything before. Integers and leaves are little-endian.
"""

import hashlib
import json
import logging
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from jaxtyping import PyTree

from gaugemc.io.atomic import remove_leftovers, write_atomically
from gaugemc.io.leaves import Leaf, decode, describe, difference, encode

_MAGIC = b"gaugemc checkpoint\n"
_VERSION = 1
_NUMBERS = struct.Struct("<IQ")  # format version, length of the header
_START = len(_MAGIC) + _NUMBERS.size
_DIGEST = hashlib.sha256().digest_size

_log = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """A file cannot be used as a checkpoint, or a pytree cannot be stored; one line says why."""


def _flatten(path: Path, tree: PyTree) -> tuple[list[tuple[Leaf, Any]], Any]:
    """Each leaf with its description, and the tree's structure."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    try:
        return [(describe(jax.tree_util.keystr(k), leaf), leaf) for k, leaf in leaves], structure
    except TypeError as error:
        raise CheckpointError(f"{path}: {error}") from error


def save_checkpoint(path: Path | str, tree: PyTree, metadata: dict[str, Any]) -> None:
    """Write a pytree and `metadata` (JSON types) to the file `path`, atomically.

    Leaves may be JAX and NumPy arrays, PRNG keys and Python scalars (bool, int, float, complex,
    str). Other leaves, such as functions, are code: only their place is stored.

    Raises:
        CheckpointError: the metadata is not JSON, or a leaf is an array of something but numbers.
        OSError: the file could not be written; what was there before is untouched.
    """
    path = Path(path)
    leaves, _ = _flatten(path, tree)
    blocks = [encode(leaf) for _, leaf in leaves]
    table = [{**leaf._asdict(), "bytes": len(b)} for (leaf, _), b in zip(leaves, blocks)]
    try:
        header = json.dumps({"metadata": metadata, "leaves": table}).encode()
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: the metadata is not JSON: {error}") from error
    digest = hashlib.sha256()
    with write_atomically(path) as temporary, temporary.open("wb") as file:
        for block in (_MAGIC, _NUMBERS.pack(_VERSION, len(header)), header, *blocks):
            file.write(block)
            digest.update(block)
        file.write(digest.digest())


def _parse(data: memoryview) -> tuple[dict[str, Any], memoryview]:
    """The header and the leaves' bytes of a whole file.

    Raises:
        ValueError: what is wrong with the file.
    """
    if data[: len(_MAGIC)] != _MAGIC[: len(data)] or not data:
        raise ValueError("not a gaugemc checkpoint")
    if len(data) < _START + _DIGEST:
        raise ValueError(f"truncated: {len(data)} bytes")
    version, length = _NUMBERS.unpack(data[len(_MAGIC) : _START])
    if version != _VERSION:
        raise ValueError(f"of format version {version}; this program reads version {_VERSION}")
    end = len(data) - _DIGEST
    if hashlib.sha256(data[:end]).digest() != data[end:]:
        raise ValueError(_damage(data, length))
    header = json.loads(bytes(data[_START : _START + length]))
    return header, data[_START + length : end]


def _damage(data: memoryview, header_length: int) -> str:
    """What happened to a file whose checksum is wrong."""
    expected = _START + header_length + _DIGEST
    try:
        header = json.loads(bytes(data[_START : _START + header_length]))
        expected += sum(leaf["bytes"] for leaf in header["leaves"])
    except (ValueError, KeyError, TypeError):
        pass  # the header is incomplete or damaged itself
    if expected > len(data):
        return f"truncated: {len(data)} bytes of {expected}"
    return "damaged: its checksum differs"


def _read(path: Path) -> tuple[dict[str, Any], memoryview]:
    try:
        if not path.is_file() and (path.exists() or path.is_symlink()):
            raise ValueError("not a regular file")
        return _parse(memoryview(path.read_bytes()))
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error


def read_metadata(path: Path | str) -> dict[str, Any]:
    """The metadata of a checkpoint, after its checksum has been verified.

    Raises:
        CheckpointError: not a checkpoint, truncated or damaged.
    """
    return _read(Path(path))[0]["metadata"]


def load_checkpoint(path: Path | str, like: PyTree) -> tuple[PyTree, dict[str, Any]]:
    """Read a checkpoint into the structure of `like`.

    Args:
        path: file that `save_checkpoint` wrote.
        like: a pytree with the structure of the stored one; arrays may be jax.ShapeDtypeStruct.

    Returns:
        The stored pytree, with its static leaves taken from `like`, and the metadata.

    Raises:
        CheckpointError: not a checkpoint, truncated, damaged, or of another structure.
    """
    path = Path(path)
    header, data = _read(path)
    wanted, structure = _flatten(path, like)
    stored = [
        (Leaf(**{**entry, "shape": tuple(entry["shape"])}), size)
        for entry in header["leaves"]
        for size in [entry.pop("bytes")]
    ]
    reason = _mismatch([leaf for leaf, _ in stored], [leaf for leaf, _ in wanted])
    if reason is not None:
        raise CheckpointError(f"{path}: {reason}")
    values, offset = [], 0
    for (leaf, size), (_, target) in zip(stored, wanted, strict=True):
        try:
            values.append(decode(leaf, data[offset : offset + size], target))
        except TypeError as error:
            raise CheckpointError(f"{path}: {error}") from error
        offset += size
    return jax.tree_util.tree_unflatten(structure, values), header["metadata"]


def _mismatch(stored: list[Leaf], wanted: list[Leaf]) -> str | None:
    """In words, the first difference between the leaves of the file and of this run."""
    there = {leaf.name: leaf for leaf in stored}
    here = {leaf.name for leaf in wanted}
    another = "the checkpoint is of another architecture"
    for leaf in wanted:
        if leaf.name not in there:
            return f"leaf {leaf.name} is missing in the file: {another}"
        reason = difference(there[leaf.name], leaf)
        if reason is not None:
            return reason
    for leaf in stored:
        if leaf.name not in here:
            return f"leaf {leaf.name} of the file is not in this run: {another}"
    if [leaf.name for leaf in stored] != [leaf.name for leaf in wanted]:
        return f"the leaves are in another order: {another}"
    return None


def checkpoint_path(directory: Path | str, prefix: str, step: int) -> Path:
    """The name of a numbered checkpoint: prefix-00000500.ckpt."""
    return Path(directory) / f"{prefix}-{step:08d}.ckpt"


def _newest_first(directory: Path, prefix: str) -> list[Path]:
    name = re.compile(rf"{re.escape(prefix)}-(\d+)\.ckpt")
    numbered = [(int(m[1]), p) for p in directory.glob("*") if (m := name.fullmatch(p.name))]
    return [path for _, path in sorted(numbered, reverse=True)]


def latest_checkpoint(
    directory: Path | str, prefix: str, report: Callable[[str], None] = _log.warning
) -> Path | None:
    """The valid checkpoint prefix-NUMBER.ckpt with the highest number, or None.

    Newer files that are no valid checkpoints are skipped; `report` gets one line about each.
    """
    for path in _newest_first(Path(directory), prefix):
        try:
            _read(path)
        except CheckpointError as error:
            report(f"skipped {error}")
        else:
            return path
    return None


def prune(directory: Path | str, prefix: str, keep: int) -> None:
    """Remove all but the `keep` newest valid checkpoints, and what killed writers left.

    Damaged files do not count. A damaged file that is newer than the kept ones stays: someone may
    want to know why it is damaged.
    """
    if keep < 1:
        raise ValueError(f"keep {keep}: must be at least 1")
    valid = 0
    for path in _newest_first(Path(directory), prefix):
        if valid == keep:
            if path.is_file() or path.is_symlink():
                path.unlink(missing_ok=True)
            continue
        try:
            _read(path)
            valid += 1
        except CheckpointError:
            continue
    remove_leftovers(directory, f"{prefix}-*")
