"""Ensembles: the draws of many chains in one HDF5 file, which every HDF5 tool can read."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import jax.numpy as jnp
import numpy as np

from gaugemc.chains.driver import Draws
from gaugemc.io.atomic import write_atomically
from gaugemc.io.hdf5 import opened, written
from gaugemc.samplers.sampler import ComposeInfo, Info

_MAGIC = b"gaugemc ensemble 1\n"
_KINDS = (str, bool, int, float)  # of attributes; a bool is an int too


def write_draws(
    path: Path | str,
    draws: Draws,
    attributes: Mapping[str, Any],
    configurations: np.ndarray | None = None,
) -> None:
    """Write draws to an HDF5 file, atomically.

    Groups "observables" and "info" hold one dataset [chain, draw, ...] for each quantity; the
    dataset "configurations" [chain, draw, ...] holds the fields, if given. Types that HDF5 lacks
    (bfloat16, say) are stored as the smallest type that holds all their values. The group "info" of
    a composed sampler has two groups more: "members", with a group such as "info" for each member,
    and "moved", which says of each draw whether the member moved.

    Args:
        path: the file.
        draws: what a sampler's chains measured.
        attributes: of the whole ensemble (theory, sampler, seed, warmup); strings, numbers, or
            lists of strings or of numbers, stored as attributes of the root.
        configurations: real or complex fields of the last draws, [chain, draw, ...]; of each chain
            as many as there are draws, or fewer.

    Raises:
        ValueError: quantities of different numbers of chains or draws, a name or a type that HDF5
            cannot store; one line.
        OSError: the file could not be written; what was there before is untouched.
    """
    with write_atomically(path) as temporary, written(temporary, _MAGIC) as file:
        try:
            _fill(file, draws, attributes, configurations)
        except (ValueError, TypeError, OverflowError, RuntimeError, OSError) as error:  # of h5py
            raise ValueError(f"{path}: {str(error).splitlines()[0]}") from error


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


def _fill(
    file: h5py.File,
    draws: Draws,
    attributes: Mapping[str, Any],
    configurations: np.ndarray | None,
) -> None:
    """Write attributes and quantities into a new file."""
    columns = {f"observables/{_name(name)}": array for name, array in draws.observables.items()}
    columns |= info_columns(draws.info, "info")
    quantities = {
        column: _storable(column.partition("/")[2], array) for column, array in columns.items()
    }
    shapes = {array.shape[:2] for array in quantities.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise ValueError(f"quantities of different [chain, draw]: {sorted(shapes)}")
    chains, n = next(iter(shapes))
    if configurations is not None:
        fields = quantities["configurations"] = _storable("configurations", configurations)
        if fields.ndim < 2 or fields.shape[0] != chains or fields.shape[1] > n:
            raise ValueError(
                f"configurations of [chain, draw] {fields.shape[:2]} to draws of {(chains, n)}"
            )
    for name, value in attributes.items():
        file.attrs[name] = _attribute(name, value)
    file.create_group("observables")
    for name, array in quantities.items():
        dataset = file.create_dataset(name, data=array)
        dataset.dims[0].label = "chain"
        dataset.dims[1].label = "draw"


def _name(name: str) -> str:
    """The name of a dataset: HDF5 reads a slash as a group, and a dot as the group itself."""
    if not name or name == "." or "/" in name or "\0" in name:
        raise ValueError(f"{name!r} cannot name a quantity: it is empty, a dot, or has a slash")
    return name


def _storable(name: str, values: Any) -> np.ndarray:
    """The values as an array of a type that HDF5 has, which holds them exactly."""
    array = np.asarray(values)
    if array.dtype.kind in "biufc":
        return array
    if jnp.issubdtype(array.dtype, jnp.floating):  # of 8 or 16 bits
        return array.astype(np.float32)
    if jnp.issubdtype(array.dtype, jnp.integer):  # of 4 bits or fewer
        return array.astype(
            np.uint8 if jnp.issubdtype(array.dtype, jnp.unsignedinteger) else np.int8
        )
    raise ValueError(f"{name} has dtype {array.dtype}: only numbers can be stored")


def _attribute(name: str, value: Any) -> Any:
    """An attribute that comes back from HDF5 as it is."""
    entries = value if isinstance(value, list | tuple) else [value]
    kinds = {next((k for k in _KINDS if isinstance(entry, k)), type(entry)) for entry in entries}
    if not any(kinds <= allowed for allowed in ({str}, {bool}, {int, float})):
        what = " and ".join(sorted(kind.__name__ for kind in kinds))
        what = what if entries is not value else f"{type(value).__name__} of {what}"
        raise ValueError(
            f"attribute {name} is a {what}: must be a string, a number, or a list of one kind"
        )
    stored = np.asarray(value).ravel().tolist()
    if any(isinstance(a, int) and b != a for a, b in zip(entries, stored)) or (
        int in kinds and np.asarray(value).dtype == np.object_
    ):
        raise ValueError(f"attribute {name} = {value}: an integer does not fit into 64 bits")
    return value


@contextmanager
def _ensemble(path: Path | str) -> Iterator[h5py.File]:
    """The open file of an ensemble; whatever is wrong with the file is a ValueError of one line."""
    try:
        with open(path, "rb") as file, opened(file, _MAGIC, "ensemble") as ensemble:
            yield ensemble
    except (KeyError, ValueError, TypeError) as error:
        reason = str(error.args[0] if error.args else error).splitlines()[0]
        raise ValueError(f"{path}: cannot be read as an ensemble: {reason}") from error


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
    """The configurations of the last draws, [chain, draw, ...]; None where none were kept.

    Raises:
        ValueError: not an ensemble, truncated or damaged.
    """
    with _ensemble(path) as file:
        return np.asarray(file["configurations"]) if "configurations" in file else None
