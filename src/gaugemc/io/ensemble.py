"""Ensembles: the draws of many chains in one HDF5 file, which every HDF5 tool can read."""

import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gaugemc.io.atomic import write_atomically
from gaugemc.samplers.driver import Draws
from gaugemc.samplers.sampler import ComposeInfo, Info

_MAGIC = b"gaugemc ensemble 1\n"
_BLOCK = 512  # HDF5's user block, which other programs skip
_ATTRIBUTES = (str, bool, int, float, list, tuple)


def _block(digest: bytes) -> bytes:
    """The user block: what the file is, and the SHA-256 of the HDF5 data that follow it.

    HDF5 itself may crash or hang on a damaged file, so nothing of it is read before the checksum
    has been compared.
    """
    return (_MAGIC + digest).ljust(_BLOCK, b"\0")


def write_draws(
    path: Path | str,
    draws: Draws,
    attributes: Mapping[str, Any],
    configurations: np.ndarray | None = None,
) -> None:
    """Write draws to an HDF5 file, atomically.

    Groups "observables" and "info" hold one dataset [chain, draw, ...] for each quantity; the
    dataset "configurations" [chain, draw, ...] holds the fields, if given. The group "info" of a
    composed sampler has two groups more: "members", with a group such as "info" for each member,
    and "moved", which says of each draw whether the member moved.

    Args:
        path: the file.
        draws: what a sampler's chains measured.
        attributes: of the whole ensemble (theory, sampler, seed, warmup); strings, numbers or lists
            of numbers, stored as attributes of the root.
        configurations: real or complex fields of shape [chain, draw, ...].

    Raises:
        ValueError: quantities of different numbers of chains or draws, or an attribute of another
            type.
        OSError: the file could not be written; what was there before is untouched.
    """
    quantities = {f"observables/{name}": array for name, array in draws.observables.items()}
    quantities |= info_columns(draws.info, "info")
    if configurations is not None:
        quantities["configurations"] = configurations
    quantities = {name: np.asarray(array) for name, array in quantities.items()}
    shapes = {array.shape[:2] for array in quantities.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise ValueError(f"{path}: quantities of different [chain, draw]: {sorted(shapes)}")
    image = io.BytesIO()  # on a full disk, HDF5 may end the process with a segmentation fault
    with h5py.File(image, "w", userblock_size=_BLOCK) as file:
        for name, value in attributes.items():
            if not isinstance(value, _ATTRIBUTES):
                raise ValueError(f"{path}: attribute {name} is a {type(value).__name__}")
            file.attrs[name] = value
        file.create_group("observables")
        for name, array in quantities.items():
            dataset = file.create_dataset(name, data=array)
            dataset.dims[0].label = "chain"
            dataset.dims[1].label = "draw"
    data = image.getbuffer()[_BLOCK:]
    with write_atomically(path) as temporary, temporary.open("wb") as stored:
        stored.write(_block(hashlib.sha256(data).digest()))
        stored.write(data)


def info_columns(info: Info | ComposeInfo, group: str) -> dict[str, np.ndarray]:
    """The arrays of an info by their names in the file; those of members have groups of their own.

    Members are numbered in their order, from 0.
    """
    columns = {f"{group}/{name}": getattr(info, name) for name in Info._fields}
    if isinstance(info, ComposeInfo):
        for place, (member, moved) in enumerate(zip(info.members, info.moved)):
            columns |= info_columns(member, f"{group}/members/{place}")
            columns[f"{group}/moved/{place}"] = moved
    return columns


@contextmanager
def _ensemble(path: Path | str) -> Iterator[h5py.File]:
    """The open file of an ensemble; whatever is wrong with it becomes a ValueError of one line."""
    try:
        with open(path, "rb") as file:
            block = file.read(_BLOCK)
            if not block.startswith(_MAGIC):
                raise ValueError("not a gaugemc ensemble")
            if block != _block(hashlib.file_digest(file, "sha256").digest()):
                raise ValueError("truncated or damaged: its checksum differs")
            with h5py.File(file, "r") as ensemble:
                yield ensemble
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as an ensemble: {error.args[0]}") from error


def _arrays(file: h5py.File, group: str) -> dict[str, Any]:
    """The datasets of a group, by name; groups in the group are left out."""
    held = {str(name): file[f"{group}/{name}"] for name in file.require_group(group)}
    return {name: np.asarray(a) for name, a in held.items() if isinstance(a, h5py.Dataset)}


def _info(file: h5py.File, group: str) -> Info | ComposeInfo:
    """The info that `info_columns` named."""
    own = _arrays(file, group)
    if set(own) != set(Info._fields):
        raise ValueError(f"{group} holds {sorted(own)} and not {sorted(Info._fields)}")
    if f"{group}/members" not in file:
        return Info(**own)
    moved = _arrays(file, f"{group}/moved")
    places = [str(place) for place in range(len(moved))]
    return ComposeInfo(
        **own,
        members=tuple(_info(file, f"{group}/members/{place}") for place in places),
        moved=tuple(moved[place] for place in places),
    )


def read_draws(path: Path | str) -> tuple[Draws, dict[str, Any]]:
    """The draws and the attributes that `write_draws` wrote; tuples have become lists.

    Raises:
        ValueError: not an ensemble, truncated or damaged.
    """
    with _ensemble(path) as file:
        attributes = dict(file.attrs)
        observables, info = _arrays(file, "observables"), _info(file, "info")
    plain = {name: np.asarray(value).tolist() for name, value in attributes.items()}
    return Draws(observables, info), plain


def read_configurations(path: Path | str) -> np.ndarray | None:
    """The configurations [chain, draw, ...] of an ensemble; None where none were kept.

    Raises:
        ValueError: not an ensemble, truncated or damaged.
    """
    with _ensemble(path) as file:
        return np.asarray(file["configurations"]) if "configurations" in file else None
