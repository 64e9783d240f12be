"""Who trains: the frameworks, what each needs, and how each spreads over processes."""

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import NamedTuple

from gaugemc.choices.devices import rank_of
from gaugemc.choices.option import SettingsError, one_of


class Framework(NamedTuple):
    """What a framework needs, and its backends."""

    package: str
    extra: str
    """The extra of gaugemc that installs it."""
    backends: tuple[str, ...]


FRAMEWORKS: Mapping[str, Framework] = {
    "jax": Framework("jax", "", ("none",)),
    "pytorch": Framework("torch", "torch", ("none", "ddp")),
    "tensorflow": Framework("tensorflow", "tensorflow", ("none",)),
}
BACKENDS = tuple(dict.fromkeys(b for framework in FRAMEWORKS.values() for b in framework.backends))


def processes() -> int:
    """How many processes torchrun started together."""
    return int(os.environ.get("WORLD_SIZE", 1))


def rank() -> int:
    """The number of this process among them; the first one, 0, is the one that writes."""
    return int(os.environ.get("RANK", 0)) if processes() > 1 else rank_of(sys.argv[1:])


def refuse_framework(framework: str, backend: str) -> None:
    """Raise SettingsError unless the two go together, are installed, and are started rightly."""
    one_of(*FRAMEWORKS)("framework", framework)
    package, extra, backends = FRAMEWORKS[framework]
    if backend not in backends:
        pairs = [f"framework={f} backend={b}" for f, of in FRAMEWORKS.items() for b in of.backends]
        problem = f"does not go with framework={framework}: choose one of {', '.join(pairs)}"
        raise SettingsError("backend", backend, problem)
    if find_spec(package) is None:
        problem = f'not installed: pip install "gaugemc[{extra}]"'
        raise SettingsError("framework", framework, problem)
    if backend != "none" and "RANK" not in os.environ:
        problem = "needs processes: start with torchrun --nproc_per_node=2 -m gaugemc KEY=VALUE ..."
        raise SettingsError("backend", backend, problem)
    if backend == "none" and processes() > 1:
        able = [f"backend={other}" for other in backends if other != "none"]
        without = (
            "start without torchrun, and share chains with devices.launcher=slurm, mpi or hand"
        )
        advice = f"choose {' or '.join(able)}" if able else without
        problem = f"is for one process, and torchrun started {processes()}: {advice}"
        raise SettingsError("backend", backend, problem)


def refuse_parts(batches: list[int], objective: str) -> None:
    """Raise SettingsError unless the processes can share these batches of an objective equally."""
    if processes() == 1:
        return
    if objective == "levels":
        problem = f"cannot be shared by {processes()} processes: choose reverse_kl"
        raise SettingsError("training.objective", objective, problem)
    refuse_batches(batches, processes(), "processes")


def refuse_batches(batches: list[int], number: int, sharers: str) -> None:
    """Raise SettingsError unless so many processes or devices can share batches equally."""
    for batch in batches:
        if batch % number:
            of = "" if batch == batches[-1] else f", doubled from {batch}"
            problem = f"cannot be shared equally by {number} {sharers}"
            raise SettingsError("training.batch", f"{batches[-1]}{of}", problem)
