"""Processes that `devices.*` describes tell each other where they are: TF_CONFIG.

Each process asks process 0 at the coordinator's port, in a line of JSON. When all have asked,
process 0 answers with the addresses of all.
"""

import json
import os
import socket
import time
from contextlib import ExitStack, suppress
from ipaddress import ip_address
from typing import Any

from gaugemc.choices.devices import Place
from gaugemc.choices.option import SettingsError
from gaugemc.choices.tf_config import config
from gaugemc.run.processes import STARTING, listening, own_device

_PAUSE, _SILENCE = 0.2, 10.0
"""Seconds between tries to reach process 0, and in which who has connected must have asked."""


def meet(place: Place) -> None:
    """Set TF_CONFIG of this process, and its GPU on a machine of several.

    Raises:
        SettingsError, ConnectionError: as `addresses`.
    """
    os.environ["TF_CONFIG"] = config(addresses(place), place.process)
    if (device := own_device(place)) is not None:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[device] if visible else str(device)


def addresses(place: Place, patience: float = STARTING) -> list[str]:
    """HOST:PORT of each process, where TensorFlow may listen when training starts.

    Args:
        place: of this process.
        patience: seconds to wait for the others.

    Raises:
        SettingsError: the port is in use.
        ConnectionError: the processes do not find each other, or disagree about who they are.
    """
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    try:
        return (_gather if place.process == 0 else _ask)(place, port, time.monotonic() + patience)
    except SettingsError:
        raise
    except (OSError, ValueError, OverflowError) as error:
        raise ConnectionError(
            f"process {place.process}: {place.processes} processes do not meet at"
            f" {place.coordinator}: {error}"
        ) from error


def _gather(place: Place, port: int, deadline: float) -> list[str]:
    """The addresses of all processes, as process 0 hears them, and tells the others."""
    host, _, _ = place.coordinator.rpartition(":")
    found, problem = {0: f"{host}:{port}"}, ""
    with ExitStack() as open_until_told:
        server = open_until_told.enter_context(listening(place.coordinator))
        server.listen(place.processes)
        lines = []
        while len(found) < place.processes and not problem:
            server.settimeout(max(deadline - time.monotonic(), _PAUSE))
            try:
                connection, (peer, *_) = server.accept()
            except TimeoutError:
                missing = next(n for n in range(place.processes) if n not in found)
                raise TimeoutError(f"process {missing} has not come") from None
            open_until_told.enter_context(connection)
            connection.settimeout(_SILENCE)
            try:
                asked = _read(connection)
                process, processes, its_port = (asked[key] for key in ("process", "of", "port"))
            except (OSError, ValueError, TypeError, KeyError):
                continue  # somebody else's
            if processes != place.processes or process in found:
                twice = f"two are process {process} of {processes}"
                other = f"one says {processes} processes, process 0 says {place.processes}"
                problem = twice if processes == place.processes else other
            on = host if ip_address(peer).is_loopback else peer
            found[process] = f"{on}:{its_port}"
            lines.append(connection)
        addresses = [found[n] for n in sorted(found)]
        for connection in lines:
            with suppress(OSError):  # one that has ended is missed when training starts
                _write(connection, {"problem": problem, "addresses": addresses})
    _refuse(problem)
    return addresses


def _ask(place: Place, port: int, deadline: float) -> list[str]:
    """The addresses of all processes, as process 0 tells them."""
    host, _, at = place.coordinator.rpartition(":")
    while True:
        try:
            connection = socket.create_connection((host, int(at)), _SILENCE)
            break
        except socket.gaierror:
            raise
        except OSError:  # process 0 may start later
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
    with connection:
        connection.settimeout(max(deadline - time.monotonic(), _PAUSE))
        _write(connection, {"process": place.process, "of": place.processes, "port": port})
        answer = _read(connection)
    _refuse(answer["problem"])
    return answer["addresses"]


def _refuse(problem: str) -> None:
    if problem:
        raise ConnectionError(f"{problem}: each has a number of its own, from 0")


def _write(connection: socket.socket, words: Any) -> None:
    connection.sendall(json.dumps(words).encode() + b"\n")


def _read(connection: socket.socket) -> Any:
    """A line of JSON."""
    with connection.makefile() as lines:
        line = lines.readline()
    if not line:
        raise ConnectionError("process 0 has ended")
    return json.loads(line)
