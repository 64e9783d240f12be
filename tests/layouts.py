"""Files of configurations by the descriptions of their formats alone: one link at a time, without
the code that is tested. Links are [mu, x, y, z, t, row, column], directions x, y, z, t."""

import itertools
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np


def sites(lattice: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """x, y, z, t with x fastest."""
    for t, z, y, x in itertools.product(*map(range, lattice[::-1])):
        yield x, y, z, t


def unit(mu: int) -> np.ndarray:
    return np.eye(4, dtype=int)[mu]


def pack(order: str, real: str, matrix: np.ndarray) -> bytes:
    numbers = [part for entry in matrix.ravel() for part in (entry.real, entry.imag)]
    return struct.pack(f"{order}{len(numbers)}{real}", *numbers)


def unpack(order: str, real: str, data: bytes, n: int) -> np.ndarray:
    numbers = struct.unpack(f"{order}{len(data) // struct.calcsize(real)}{real}", data)
    return np.array([complex(*pair) for pair in zip(numbers[::2], numbers[1::2])]).reshape(-1, n)


def rotate(word: int, k: int) -> int:
    return (word << k | word >> (32 - k)) % 2**32


def plaquette(u: np.ndarray) -> float:
    """Mean of Re tr P / N, one plaquette at a time."""
    lattice, n = np.array(u.shape[1:5]), u.shape[-1]
    found = []
    for site in np.ndindex(*lattice):
        for mu, nu in itertools.combinations(range(4), 2):
            right, up = (tuple((np.array(site) + unit(k)) % lattice) for k in (mu, nu))
            p = u[mu, *site] @ u[nu, *right] @ u[mu, *up].conj().T @ u[nu, *site].conj().T
            found.append(np.trace(p).real / n)
    return float(np.mean(found))


def link_trace(u: np.ndarray) -> float:
    return float(np.mean(np.trace(u, axis1=-2, axis2=-1).real) / u.shape[-1])


def body(u: np.ndarray, order: str, real: str, rows: int | None = None) -> bytes:
    """The links in the order of NERSC, ILDG and MILC."""
    return b"".join(
        pack(order, real, u[mu, *site][:rows]) for site in sites(u.shape[1:5]) for mu in range(4)
    )


def links_of(data: bytes, lattice: tuple[int, ...], n: int, order: str, real: str) -> np.ndarray:
    """The links that `body` wrote, with three rows."""
    u = np.zeros((4, *lattice, n, n), complex)
    size = n * n * 2 * struct.calcsize(real)
    for place, (site, mu) in enumerate(itertools.product(sites(lattice), range(4))):
        u[mu, *site] = unpack(order, real, data[place * size : (place + 1) * size], n)
    return u


def word_sum(data: bytes, order: str) -> int:
    return sum(struct.unpack(f"{order}{len(data) // 4}I", data)) % 2**32


def write_nersc(path: Path, u: np.ndarray, point: str, rows: int, **words: object) -> None:
    """A file with words of the header in the place of true ones."""
    order, real = "<" if "LITTLE" in point else ">", "f" if "32" in point else "d"
    data = body(u, order, real, rows)
    header = {
        "DATATYPE": "4D_SU3_GAUGE" if rows == 2 else f"4D_SU{rows}_GAUGE_{rows}x{rows}",
        **{f"DIMENSION_{i + 1}": extent for i, extent in enumerate(u.shape[1:5])},
        "CHECKSUM": f"{word_sum(data, order):x}",
        "LINK_TRACE": f"{link_trace(u):.10g}",
        "PLAQUETTE": f"{plaquette(u):.10g}",
        "FLOATING_POINT": point,
    } | words
    lines = [f"{key} = {value}" for key, value in header.items() if value is not None]
    path.write_bytes("\n".join(["BEGIN_HEADER", *lines, "END_HEADER", ""]).encode() + data)


def read_nersc(path: Path) -> tuple[dict[str, str], bytes]:
    """The header and the data."""
    header, _, data = path.read_bytes().partition(b"END_HEADER\n")
    lines = [line.split(" = ") for line in header.decode().splitlines()[1:]]
    return dict(lines), data


def write_milc(path: Path, u: np.ndarray, order: str, **words: int) -> None:
    data = body(u, order, "f")
    sums = [0, 0]
    for k, word in enumerate(struct.unpack(f"{order}{len(data) // 4}I", data)):
        sums = [sums[0] ^ rotate(word, k % 29), sums[1] ^ rotate(word, k % 31)]
    said = {"magic": 20103, "sites": 0, "sum29": sums[0], "sum31": sums[1]} | words
    lattice, stamp = u.shape[1:5], b"Thu Jan  1 00:00:00 1970"
    header = struct.pack(f"{order}5i64s", said["magic"], *lattice, stamp)
    end = struct.pack(f"{order}3I", said["sites"], said["sum29"], said["sum31"])
    path.write_bytes(header + end + data)


def write_openqcd(path: Path, u: np.ndarray) -> None:
    """t, x, y, z, 3 P; of each odd site, z fastest, U(n, mu) and U(n - mu, mu), mu = t, x, y, z."""
    lattice = u.shape[1:5]
    data = [struct.pack("<4id", lattice[3], *lattice[:3], 3 * plaquette(u))]
    for t, x, y, z in itertools.product(*(range(lattice[i]) for i in (3, 0, 1, 2))):
        if (t + x + y + z) % 2:
            for mu in (3, 0, 1, 2):
                before = (np.array((x, y, z, t)) - unit(mu)) % lattice
                data += [pack("<", "d", u[mu, x, y, z, t]), pack("<", "d", u[mu, *before])]
    path.write_bytes(b"".join(data))


def lime_record(name: str, data: bytes, flags: int = 0) -> bytes:
    header = struct.pack(">IHHQ128s", 0x456789AB, 1, flags, len(data), name.encode())
    return header + data + b"\0" * (-len(data) % 8)


def lime_records(path: Path) -> list[tuple[str, int, bytes]]:
    """Name, flags and data of each record."""
    data, found, place = path.read_bytes(), [], 0
    while place < len(data):
        magic, version, flags, size = struct.unpack(">IHHQ", data[place : place + 16])
        assert (magic, version) == (0x456789AB, 1)
        name = data[place + 16 : place + 144].rstrip(b"\0").decode()
        found.append((name, flags, data[place + 144 : place + 144 + size]))
        place += 144 + (size + 7) // 8 * 8
    assert place == len(data)
    return found


def scidac_sums(data: bytes, site: int) -> tuple[str, str]:
    a = b = 0
    for rank in range(len(data) // site):
        crc = zlib.crc32(data[rank * site : (rank + 1) * site])
        a, b = a ^ rotate(crc, rank % 29), b ^ rotate(crc, rank % 31)
    return f"{a:08x}", f"{b:08x}"


def element(xml: bytes, name: str) -> str:
    found = re.search(rf"<{name}>\s*(.*?)\s*</{name}>", xml.decode())
    assert found is not None
    return found[1]
