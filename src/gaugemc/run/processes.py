"""Processes that share the chains of a run (jax.distributed).

Every process does what process 0 does, with an equal part of the chains, and all get all draws. So
all decide alike. Process 0 alone has the run's directory; each other one works in a directory for
the time being, which begins as a copy. In a single process all functions here give back what they
are given.
"""

import io
import os
import re
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import PyTree

from gaugemc.choices.devices import Place, own_device
from gaugemc.choices.frameworks import refuse_batches
from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.choices.traits import batches, shares_batches, trained
from gaugemc.mesh import mesh_for
from gaugemc.run.alike import Told
from gaugemc.run.meeting import addresses

ENDING = 24 * 3600
"""Seconds that the others wait for process 0, which writes the report."""
_KEPT = ("config.yaml", "start.h5", "checkpoints")
"""What a run goes on from."""
_LOST = re.compile(
    r"(UNAVAILABLE|DEADLINE_EXCEEDED): |[A-Z_]+: (Gloo .* failed|NCCL .*remote process exited)"
)
"""How XLA's errors about other processes begin, of either type: gloo, NCCL, gRPC. A memory that is
full, say, begins with another code, and is the process's own."""


def join(place: Place, own: Told) -> None:
    """Become one of several processes, before JAX computes anything.

    Raises:
        SettingsError, ConnectionError: as `addresses`.
    """
    addresses(place, own)  # says who is missing, where XLA would end this process with its stack
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_enable_preemption_service", False)  # would take SIGTERM from us
    jax.config.update("jax_enable_recoverability", True)  # who remains says so, and ends itself
    try:
        jax.distributed.initialize(
            place.coordinator,
            place.processes,
            place.process,
            local_device_ids=own_device(place),
            cluster_detection_method="deactivate",
            initialization_timeout=place.patience,
            heartbeat_timeout_seconds=30,
            shutdown_timeout_seconds=ENDING,
        )
    except RuntimeError as error:
        raise ConnectionError(
            f"process {place.process}: {place.processes} processes do not meet at"
            f" {place.coordinator}: {first_line(error)}"
        ) from error


@contextmanager
def heard() -> Iterator[None]:
    """What happens to a process when another one ends, in one line."""
    try:
        yield
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        if jax.process_count() == 1 or not _LOST.match(str(error)):
            raise
        raise ConnectionError(
            f"process {jax.process_index()} of {jax.process_count()}: another process has ended,"
            f" or cannot be reached: {first_line(error)}"
        ) from error


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    text = str(error)
    if text.startswith("Graph execution error"):  # of TensorFlow, which first says where
        text = text.rpartition("\n\n")[2]
    return " ".join(text.split("\n")[0].split())[:200]


@contextmanager
def leaving() -> Iterator[None]:
    """Around a whole program: one that fails does not wait for the others."""
    try:
        yield
    except SystemExit as end:
        if end.code and jax.distributed.is_initialized():
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError):
                    stream.flush()
            os._exit(end.code if isinstance(end.code, int) else 1)
        raise


def agreed(tree: PyTree) -> PyTree:
    """The tree of process 0, in all of them: elsewhere what is no array counts alone."""
    if jax.process_count() == 1:
        return tree
    from jax.experimental.multihost_utils import broadcast_one_to_all

    arrays, code = eqx.partition(tree, eqx.is_array)
    first = jax.tree.map(
        lambda own, sent: jnp.asarray(sent) if isinstance(own, jax.Array) else sent,
        arrays,
        broadcast_one_to_all(arrays),
    )
    return eqx.combine(first, code)


def devices_of(settings: Settings) -> list[Any]:
    """The devices that share a run, of all processes.

    Where nobody said how many, they are as many as can share chains and batches equally.

    Raises:
        SettingsError: these devices cannot share them equally, or are not there.
    """
    there, processes = jax.local_device_count(), jax.process_count()
    count = settings.devices.count
    if count is not None and count > there:
        problem = f"this process has {there}: choose at most as many"
        raise SettingsError("devices.count", count, problem)
    wanted = [count] if count else range(1 if jax.default_backend() == "cpu" else there, 0, -1)
    refused: list[SettingsError] = []
    for of_process in wanted:
        try:
            refuse_devices(settings, of_process * processes)
        except SettingsError as error:
            refused.append(error)
        else:
            all_of = (jax.local_devices(process) for process in range(processes))
            return [device for own in all_of for device in own[:of_process]]
    raise refused[-1]


def refuse_devices(settings: Settings, devices: int) -> None:
    """Raise SettingsError unless so many devices can share chains, lattices and batches equally."""
    parts, chains = settings.devices.parts, settings.chains
    if devices % parts:
        problem = f"the number of devices, {devices}, is no multiple of it: see devices.count"
        raise SettingsError("devices.parts", parts, problem)
    if chains % (rows := devices // parts):
        sharing = f"{rows} devices" if parts == 1 else f"{rows} rows of {parts} devices"
        problem = f"{sharing} cannot share them equally: choose a multiple of {rows}"
        raise SettingsError("chains", chains, problem)
    refuse_batches(_shared_batches(settings), devices, "devices")


def _shared_batches(settings: Settings) -> list[int]:
    """The sizes of the batches that devices share; none where JAX trains nothing on several."""
    sharing = settings.framework == "jax" and trained(settings) and shares_batches(settings)
    return batches(settings) if sharing and settings.training.steps else []


def mesh_of_run(settings: Settings) -> Mesh | None:
    """The mesh that the chains of a run are spread over.

    Raises:
        SettingsError: as `devices_of`.
    """
    return mesh_for(devices_of(settings), settings.devices.parts)


def copied(directory: Path) -> None:
    """Give the directory of this process what a run goes on from in that of process 0."""
    if jax.process_count() == 1:
        return
    packed = io.BytesIO()
    if jax.process_index() == 0:
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name in _KEPT:
                if (directory / name).exists():
                    tar.add(directory / name, name)
    own = np.frombuffer(packed.getvalue(), np.uint8)
    length = int(agreed(np.asarray(own.size)))
    sent = agreed(own if own.size else np.zeros(length, np.uint8))
    if jax.process_index() > 0:
        with tarfile.open(fileobj=io.BytesIO(np.asarray(sent).tobytes())) as tar:
            tar.extractall(directory, filter="data")
