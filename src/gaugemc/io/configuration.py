"""One gauge configuration in a file of any of the field's formats."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from gaugemc.groups import SUN, U1, Group
from gaugemc.io.atomic import write_atomically
from gaugemc.io.formats.format import Contents, Format
from gaugemc.io.formats.hdf5 import Hdf5
from gaugemc.io.formats.ildg import Ildg
from gaugemc.io.formats.measured import Measured, measure
from gaugemc.io.formats.milc import Milc
from gaugemc.io.formats.nersc import Nersc
from gaugemc.io.formats.openqcd import OpenQcd
from gaugemc.spaces import Links
from gaugemc.spaces.space import extents

FORMATS: dict[str, Format] = {f.name: f for f in (Nersc(), Ildg(), Hdf5(), Milc(), OpenQcd())}
"""All formats by name. The one without a magic number is the last that is tried."""
REALS = {"fp32": np.float32, "fp64": np.float64}
DEVIATION = 1e-5
"""Of links from their group, at most: float32 after many updates, and files converted from it."""


class ConfigurationError(ValueError):
    """A file holds no such configuration, or a format cannot hold one; one line says why."""


class Configuration(NamedTuple):
    """The links of a file, and what was measured on them."""

    links: np.ndarray
    """Complex, of shape (4, L_x, L_y, L_z, L_t, N, N); direction 3 is time."""
    space: Links
    """Group, lattice and precision."""
    format: str
    plaquette: float
    """Mean of Re tr P / N."""
    link_trace: float
    """Mean of Re tr U / N."""
    checksum: str
    """Of the file, as the format has it; of a format without one, nothing."""


def read_configuration(
    path: Path | str, *, lattice: tuple[int, ...] | None = None, group: Group | None = None
) -> Configuration:
    """Read a gauge configuration; the format is recognised by the file's content.

    Formats are NERSC, ILDG and SciDAC, gaugemc's HDF5, MILC's version 5 and openQCD's. Checksum,
    plaquette and link trace are compared with those that the file states. The links must be
    elements of the group.

    Args:
        path: the file.
        lattice: the extents (L_x, L_y, L_z, L_t), which a LIME file without `ildg-format` needs;
            another file is refused if its lattice is another.
        group: the group that the links must have; None takes any.

    Raises:
        ConfigurationError: of no known format, truncated, damaged, or not what it says.
        OSError: the file cannot be read.
    """
    path = Path(path)
    try:
        if lattice is not None:
            lattice = extents("lattice", lattice)
        if group is not None and not isinstance(group, Group):
            raise ValueError(f"group {group!r}: give a group, such as U1() or SUN(3)")
        check_regular(path)
        with path.open("rb") as file:
            start = file.read(24)
            if not start:
                raise ValueError("empty: copy or write the file again")
            file.seek(0)
            known = next((f for f in FORMATS.values() if f.recognises(start)), None)
            if known is None:
                raise ValueError(f"of no known format: {', '.join(FORMATS)}")
            contents = known.read(file, lattice)
        space = space_of(contents.links)
        if lattice is not None and lattice != space.lattice:
            raise ValueError(f"lattice {list(space.lattice)}: not {list(lattice)}")
        if group is not None and group.name != space.group.name:
            raise ValueError(f"links of {space.group.name}: not of {group.name}")
        check(contents.stated_checksum, contents.checksum)
        measured = measure(space, contents.links)
        check_group(space, measured)
        verify(contents, measured)
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    return Configuration(contents.links, space, known.name, *measured[:2], contents.checksum)


def write_configuration(
    path: Path | str,
    links: jax.Array | np.ndarray,
    format: str | None = None,
    *,
    precision: str | None = None,
    **options: Any,
) -> Configuration:
    """Write a gauge configuration, atomically.

    Args:
        path: the file; an old one is replaced.
        links: shape (d, L_0, ..., L_{d-1}, N, N), complex; for U(1) (d, L_0, ..., L_{d-1}), angles.
        format: nersc, ildg or hdf5; None takes what the suffix of `path` says. nersc and ildg hold
            SU(N) in four dimensions, with directions x, y, z, t.
        precision: fp32 or fp64; None keeps that of the links.
        options: of nersc `two_rows=True` and `little_endian=True`; of ildg `lfn`, a logical file
            name.

    Returns:
        What the file holds.

    Raises:
        ConfigurationError: links that the format cannot hold, or that are not in their group.
        OSError: the file could not be written; what was there before is untouched.
    """
    path = Path(path)
    try:
        links = np.asarray(links)
        check_regular(path)
        chosen = writable(path, format)
        unknown = set(options) - set(chosen.options)
        if unknown:
            has = ", ".join(chosen.options) or "none"
            raise ValueError(f"{min(unknown)}: no option of {chosen.name}, which has {has}")
        space = space_of(links)
        if precision is not None:
            if precision not in list(REALS):
                raise ValueError(f"precision {precision!r}: choose one of {', '.join(REALS)}")
            space = Links(space.group, space.lattice, REALS[precision])
            links = links.astype(space.field_dtype, copy=False)
        chosen.refuse(space, **options)
        measured = measure(space, links)
        check_group(space, measured)
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    with write_atomically(path) as temporary:
        checksum = chosen.write(temporary, links, measured, **options)
    return Configuration(links, space, chosen.name, *measured[:2], checksum)


def check_regular(path: Path) -> None:
    """Refuse what would wait for another program, or is no file that could be replaced."""
    if path.exists() and not path.is_file():
        raise ValueError("not a regular file")


def writable(path: Path, name: str | None) -> Format:
    """The format of a file to be written."""
    known = {f.name: f for f in FORMATS.values() if f.suffixes}
    if name is None:
        name = next((f.name for f in known.values() if path.suffix in f.suffixes), None)
    if name not in list(known):
        what = f"suffix {path.suffix!r}" if name is None else f"format {name!r}"
        choices = ", ".join(f"{f.name} ({' '.join(f.suffixes)})" for f in known.values())
        raise ValueError(f"{what}: choose one of {choices}")
    return known[name]


def space_of(links: np.ndarray) -> Links:
    """The group, the lattice and the precision of an array of links."""
    matrices = links.dtype.kind == "c"
    lattice = links.shape[1:-2] if matrices else links.shape[1:]
    square = not matrices or links.shape[-2:-1] == links.shape[-1:]
    if links.dtype.kind not in "fc" or links.shape[:1] != (len(lattice),) or not square:
        raise ValueError(
            f"array of {links.dtype}, shape {list(links.shape)}: links are complex [d, L_0, ...,"
            " L_{d-1}, N, N], or real angles [d, L_0, ..., L_{d-1}]"
        )
    return Links(SUN(links.shape[-1]) if matrices else U1(), lattice, np.finfo(links.dtype).dtype)


def check(stated: str | None, found: str) -> None:
    """Refuse data with another checksum than the file says."""
    if stated not in (None, found):
        raise ValueError(f"checksum {found}: the file says {stated}; damaged, or other byte order")


def check_group(space: Links, measured: Measured) -> None:
    """Refuse links that are no elements of the group."""
    if not measured.deviation <= DEVIATION:
        name, far = space.group.name, measured.deviation
        raise ValueError(f"links are {far:.3g} away from {name}, more than {DEVIATION:g}")


def verify(contents: Contents, measured: Measured) -> None:
    """Refuse links with another plaquette or link trace than the file says."""
    for name in ("plaquette", "link_trace"):
        stated, found = getattr(contents, name), getattr(measured, name)
        if stated is not None and not abs(stated - found) <= contents.tolerance:
            raise ValueError(f"{name.replace('_', ' ')} {found:.14g}: the file says {stated:.14g}")
