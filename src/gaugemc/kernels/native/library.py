"""The library of compiled kernels: built at first use for this machine, and kept for the next."""

import ctypes
import functools
import hashlib
import logging
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import jax
from filelock import FileLock

from gaugemc.kernels.cache import cache_directory

_log = logging.getLogger(__name__)

SOURCES = Path(__file__).parent
HANDLERS = (
    "force",
    "staples",
    "plaquette_sum",
    "rectangle_sum",
    "field_strength_products",
    "move",
    "trajectory",
    "trajectory_pull",
    "flow",
    "local_updates",
    "stout",
    "stout_pull",
    "u1_force",
    "u1_trajectory",
    "spline",
)
COMPILERS = ("g++", "clang++", "c++")
_MACHINE = ["-std=c++17", "-O3", "-march=native"]
# A product and a sum may be one operation, rounded once. NaN and infinity stay what they are.
_FLAGS = [*_MACHINE, "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-w", "-fPIC"]
_DIGEST = hashlib.sha256().digest_size


class NativeError(RuntimeError):
    """Why there are no compiled kernels, in one line."""


@functools.cache
def targets() -> Mapping[str, str]:
    """XLA's names of the compiled kernels, by handler; empty where there are none.

    The first call builds the kernels, or loads them from the cache. Where that fails, one line in
    the log says why, and XLA's own code runs.
    """
    try:
        key, library = load()
    except NativeError as error:
        _log.warning("no compiled kernels: %s: XLA's code runs, which takes longer", error)
        return {}
    # Programs in the cache of XLA know kernels by name. So other kernels need other names.
    names = {handler: f"gaugemc_{handler}_{key[:16]}" for handler in HANDLERS}
    for handler, name in names.items():
        capsule = jax.ffi.pycapsule(getattr(library, f"gaugemc_{handler}"))
        jax.ffi.register_ffi_target(name, capsule, platform="cpu")
    return names


def load() -> tuple[str, ctypes.CDLL]:
    """The library, and the key that it is known by: sources, compiler and processor.

    Raises:
        NativeError: there is no compiler, no cache, or no success.
    """
    compiler = _compiler()
    directory = cache_directory()
    if directory is None:
        raise NativeError("the cache cannot be written; set XDG_CACHE_HOME to a directory of yours")
    key = _key(compiler)
    path = directory / f"native-{key}.so"
    try:
        with FileLock(directory / "native.lock"):
            if not _intact(path):
                _build(compiler, path)
        return key, ctypes.CDLL(str(path))
    except OSError as error:
        raise NativeError(f"{path}: {error.strerror or error}") from error


def _compiler() -> list[str]:
    """The words that begin the compiler's command line: $CXX, or the first one there is."""
    given = os.environ.get("CXX", "")
    try:
        words = shlex.split(given)
    except ValueError as error:
        raise NativeError(f"CXX={given}: {error}") from error
    for candidate in [words] if words else [[name] for name in COMPILERS]:
        if shutil.which(candidate[0]):
            return candidate
    raise NativeError(f"no C++ compiler ({' '.join(words) or ', '.join(COMPILERS)})")


def _run(command: list[str]) -> bytes:
    """What a compiler writes; NativeError with its first complaint."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise NativeError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").splitlines()
        complaint = next((line for line in lines if "error" in line), "no reason given")
        raise NativeError(f"{command[0]} ended with {done.returncode} ({complaint.strip()})")
    return done.stdout


def _key(compiler: list[str]) -> str:
    """A digest of all that the library follows from.

    The macros that the compiler defines name the compiler's version and the processor's abilities.
    """
    digest = hashlib.sha256(version("jaxlib").encode())
    digest.update(_run([*compiler, *_MACHINE, "-dM", "-E", "-x", "c++", os.devnull]))
    for part in (*compiler, *_FLAGS):
        digest.update(part.encode())
    for source in sorted(SOURCES.glob("*.[hc]*")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:32]


def _build(compiler: list[str], path: Path) -> None:
    """Compile the sources side by side, and link; the last bytes are a digest of all others."""
    with tempfile.TemporaryDirectory(dir=path.parent) as directory, ThreadPoolExecutor() as pool:
        built = Path(directory) / path.name
        words = [*compiler, *_FLAGS, f"-I{jax.ffi.include_dir()}"]

        def compiled(source: Path) -> str:
            unit = str(built.with_suffix(f".{source.stem}.o"))
            _run([*words, "-c", str(source), "-o", unit])
            return unit

        units = list(pool.map(compiled, sorted(SOURCES.glob("*.cc"))))
        _run([*words, "-shared", *units, "-o", str(built)])
        content = built.read_bytes()
        built.write_bytes(content + hashlib.sha256(content).digest())
        built.replace(path)


def _intact(path: Path) -> bool:
    """Whether the file is a library as it was built; loading a damaged one would be fatal."""
    if not path.is_file():
        return False
    content = path.read_bytes()
    return hashlib.sha256(content[:-_DIGEST]).digest() == content[-_DIGEST:]
