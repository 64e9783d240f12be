"""Processes that `devices.*` describes find each other, and find that they are alike.

Each process asks process 0 at the coordinator's port, in a line of JSON. When all have asked,
process 0 answers with the addresses of all, or with what is wrong.
"""

import json
import os
import socket
import time
from contextlib import ExitStack, suppress
from ipaddress import ip_address
from typing import Any

from gaugemc.choices.devices import Place, own_device
from gaugemc.choices.option import SettingsError
from gaugemc.choices.tf_config import config
from gaugemc.run.alike import Told, refuse_unlike

_PAUSE, _SILENCE = 0.2, 10.0
"""Seconds between tries to reach process 0, and in which who has connected must have asked."""
_NUMBERS = "each has a number of its own, from 0"


def meet(place: Place, own: Told) -> None:
    """Set TF_CONFIG of this process, and its GPU on a machine of several.

    Raises:
        SettingsError, ConnectionError: as `addresses`.
    """
    os.environ["TF_CONFIG"] = config(addresses(place, own), place.process)
    if (device := own_device(place)) is not None:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[device] if visible else str(device)


def addresses(place: Place, own: Told) -> list[str]:
    """HOST:PORT of each process, where TensorFlow may listen when training starts.

    Args:
        place: of this process.
        own: what must be equal in all of them.

    Raises:
        SettingsError: the port is in use.
        ConnectionError: the processes do not find each other, disagree about who they are, or are
            not alike.
    """
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    deadline = time.monotonic() + place.patience
    try:
        return (_gather if place.process == 0 else _ask)(place, own, port, deadline)
    except SettingsError:
        raise
    except (OSError, ValueError, OverflowError) as error:
        raise ConnectionError(
            f"process {place.process}: {place.processes} processes do not meet at"
            f" {place.coordinator}: {error}"
        ) from error


def listening(coordinator: str) -> socket.socket:
    """A socket at the port where processes meet, for process 0.

    Raises:
        SettingsError: the port is in use.
    """
    port, found = coordinator.rpartition(":")[2], socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(("", int(port)))
    except (OSError, OverflowError) as error:
        found.close()
        problem = f"port {port} cannot be used here: choose another: {error}"
        raise SettingsError("devices.coordinator", coordinator, problem) from error
    return found


def _gather(place: Place, own: Told, port: int, deadline: float) -> list[str]:
    """The addresses of all processes, as process 0 hears them, and tells the others."""
    host, _, _ = place.coordinator.rpartition(":")
    found, told, problem = {0: f"{host}:{port}"}, {0: own}, ""
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
                process, processes, its_port, its_own = (
                    asked[key] for key in ("process", "of", "port", "told")
                )
            except (OSError, ValueError, TypeError, KeyError):
                continue  # somebody else's
            if processes != place.processes:
                other = f"one says {processes} processes, process 0 says {place.processes}"
                problem = f"{other}: {_NUMBERS}"
            elif process in found:
                problem = f"two are process {process} of {processes}: {_NUMBERS}"
            on = host if ip_address(peer).is_loopback else peer
            found[process], told[process] = f"{on}:{its_port}", its_own
            lines.append(connection)
        if not problem:
            try:
                refuse_unlike([told[n] for n in sorted(told)])
            except ConnectionError as error:
                problem = str(error)
        addresses = [found[n] for n in sorted(found)]
        for connection in lines:
            with suppress(OSError):  # one that has ended is missed when training starts
                _write(connection, {"problem": problem, "addresses": addresses})
    _refuse(problem)
    return addresses


def _ask(place: Place, own: Told, port: int, deadline: float) -> list[str]:
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
        asking = {"process": place.process, "of": place.processes, "port": port, "told": own}
        _write(connection, asking)
        answer = _read(connection)
    _refuse(answer["problem"])
    return answer["addresses"]


def _refuse(problem: str) -> None:
    if problem:
        raise ConnectionError(problem)


def _write(connection: socket.socket, words: Any) -> None:
    connection.sendall(json.dumps(words).encode() + b"\n")


def _read(connection: socket.socket) -> Any:
    """A line of JSON."""
    with connection.makefile() as lines:
        line = lines.readline()
    if not line:
        raise ConnectionError("process 0 has ended")
    return json.loads(line)
