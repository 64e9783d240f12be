"""Horovod for PyTorch and TensorFlow of today: `python -m gaugemc.interop.build_horovod`.

Horovod 0.28.1, the last one, is published as sources that today's frameworks do not accept. Three
changes make them accept the sources. The build takes minutes; the user's cache keeps its wheel.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from gaugemc.conf.ending import fail
from gaugemc.conf.errors import FAILED
from gaugemc.kernels.cache import cache_directory

SOURCE = "horovod==0.28.1"
BUILD_NEEDS = ("setuptools", "wheel", "packaging", "cmake>=3.26")
NEEDS = ("psutil", "pyyaml", "cloudpickle", "packaging", "cffi")
FRAMEWORKS = {"torch": "PYTORCH", "tensorflow": "TENSORFLOW"}
"""By package, their names in Horovod's environment."""
CHANGES = {
    "CMakeLists.txt": ("set(CMAKE_CXX_STANDARD 14)", "set(CMAKE_CXX_STANDARD 17)"),
    "horovod/torch/CMakeLists.txt": ("set(CMAKE_CXX_STANDARD 14)", "set(CMAKE_CXX_STANDARD 17)"),
    "horovod/tensorflow/CMakeLists.txt": (
        'list(APPEND TF_SOURCES "${PROJECT_SOURCE_DIR}/horovod/tensorflow/xla_mpi_ops.cc")\n',
        "",  # wants an interface of XLA that TensorFlow has no more
    ),
}
"""In each file of the sources, what stands there, and what takes its place."""


def main() -> None:
    """Install Horovod here, from the cache or after a build."""
    installed = [package for package in FRAMEWORKS if find_spec(package)]
    if not installed:
        fail(
            'horovod needs a framework: pip install "gaugemc[torch]" or "gaugemc[tensorflow]"',
            FAILED,
        )
    if shutil.which("g++") is None and "CXX" not in os.environ:
        fail("horovod is compiled, and there is no g++: install one, or set CXX", FAILED)
    try:
        with TemporaryDirectory(prefix="gaugemc-horovod-") as work:
            kept = (cache_directory() or Path(work)) / "horovod" / built_for(installed)
            if not any(kept.glob("*.whl")):
                build(Path(work), kept, environment(installed))
            pip("install", *NEEDS)
            pip("install", "--no-deps", "--force-reinstall", *map(str, kept.glob("*.whl")))
    except subprocess.CalledProcessError as error:
        fail(f"horovod was not built: {' '.join(map(str, error.cmd))} failed", FAILED)


def built_for(installed: list[str]) -> str:
    """A name for all that a wheel depends on."""
    parts = [SOURCE, repr(CHANGES), sys.version, platform.machine()]
    options = [f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith("HOROVOD_")]
    parts += [f"{package} {version_of(package)}" for package in installed]
    return hashlib.sha256("\n".join(parts + options).encode()).hexdigest()[:16]


def version_of(package: str) -> str:
    """The version of a framework, without importing it."""
    names = {"tensorflow": ("tensorflow", "tensorflow-cpu")}.get(package, (package,))
    for name in names:
        try:
            return version(name)
        except ModuleNotFoundError:
            continue
    return ""


def environment(installed: list[str]) -> Mapping[str, str]:
    """The build's; what a user has set, such as HOROVOD_GPU_OPERATIONS=NCCL, counts."""
    frameworks = {
        f"HOROVOD_{'WITH' if package in installed else 'WITHOUT'}_{name}": "1"
        for package, name in FRAMEWORKS.items()
    }
    own = {
        **frameworks,
        "HOROVOD_WITHOUT_MXNET": "1",
        "HOROVOD_WITH_GLOO": "1",
        "HOROVOD_WITHOUT_MPI": "1",
        "HOROVOD_CMAKE": str(Path(sysconfig.get_path("scripts")) / "cmake"),
        "MAKEFLAGS": f"-j{os.cpu_count() or 1}",
        "CMAKE_POLICY_VERSION_MINIMUM": "3.5",  # of Gloo, which CMake 4 would refuse
    }
    with_mpi = {"HOROVOD_WITHOUT_MPI"} if "HOROVOD_WITH_MPI" in os.environ else set()
    return {**{k: v for k, v in own.items() if k not in with_mpi}, **os.environ}


def build(work: Path, kept: Path, environment: Mapping[str, str]) -> None:
    """Make the wheel, and keep it."""
    print(f"building {SOURCE}: some minutes ...", file=sys.stderr)
    pip("install", *BUILD_NEEDS)
    pip(
        "download",
        "--no-deps",
        "--no-build-isolation",
        "--no-binary=horovod",
        "-d",
        str(work),
        SOURCE,
    )
    (archive,) = work.glob("horovod-*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(work, filter="data")
    source = work / archive.name.removesuffix(".tar.gz")
    for name, (old, new) in CHANGES.items():
        text = (source / name).read_text()
        if old not in text:
            fail(f"{SOURCE}: {name} is not as it was: {old.strip()!r} is not there", FAILED)
        (source / name).write_text(text.replace(old, new))
    wheels = work / "wheels"
    pip(
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(wheels),
        str(source),
        env=environment,
    )
    (wheel,) = wheels.glob("*.whl")
    kept.mkdir(parents=True, exist_ok=True)
    shutil.move(wheel, kept / wheel.name)


def pip(*words: str, env: Mapping[str, str] | None = None) -> None:
    """Run pip of this environment, which says what goes wrong."""
    subprocess.run([sys.executable, "-m", "pip", "-q", *words], check=True, env=env)


if __name__ == "__main__":
    main()
