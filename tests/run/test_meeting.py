"""Processes find each other at the coordinator's port, or each says in one line why not."""

import json
import os
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn

import jax
import jax.numpy as jnp
import pytest
from cluster import free_port, taken_port
from composed import composed

from gaugemc.choices.devices import Place
from gaugemc.choices.frameworks import processes, rank
from gaugemc.choices.option import SettingsError
from gaugemc.interop.processes import Alone
from gaugemc.interop.stages import loop
from gaugemc.run.alike import Told, code, told
from gaugemc.run.meeting import addresses, meet
from gaugemc.training import start_training
from gaugemc.training.schedule import Descent


def outcomes(*places: tuple[int, int], of: Sequence[Told] = ()) -> list[list[str] | str]:
    """What each process, of a number and among so many, finds; of one that fails its line.

    The last ones start first.
    """
    port = free_port()

    def found(place: tuple[int, int]) -> list[str] | str:
        own = of[place[0]] if of else {}
        try:
            return addresses(Place(*place, f"localhost:{port}", patience=20), own)
        except ConnectionError as error:
            return str(error)

    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(found, place) for place in reversed(places[1:])]
        first = pool.submit(found, places[0])
        return [first.result(), *(one.result() for one in reversed(asked))]


def test_all_get_the_addresses_of_all() -> None:
    first, *others = outcomes((0, 3), (1, 3), (2, 3))
    assert len(set(first)) == 3
    assert all(address.startswith("localhost:") for address in first)
    assert others == [first, first]


def test_who_is_no_process_of_the_run_changes_nothing() -> None:
    port = free_port()
    place = Place(0, 2, f"localhost:{port}", patience=20)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(addresses, place, {})
        while (stranger := socket.socket()).connect_ex(("localhost", port)):
            stranger.close()
        with stranger:
            stranger.sendall(b"GET / HTTP/1.1\n")
            assert addresses(place._replace(process=1), {}) == first.result()


@pytest.mark.parametrize(
    ("others", "problem"),
    [
        ([(1, 3), (1, 3)], "two are process 1 of 3: each has a number of its own, from 0"),
        ([(1, 2)], "one says 2 processes, process 0 says 3"),
    ],
)
def test_processes_that_disagree_end(others: list[tuple[int, int]], problem: str) -> None:
    lines = outcomes((0, 3), *others)
    assert all(problem in line and "\n" not in line for line in lines), lines


def test_processes_that_are_not_alike_end() -> None:
    """All of them, with what is another: the code, or what to sample."""
    ours = told(composed("theory.beta=2"))
    assert told(composed("theory.beta=2", "progress=false", "devices.process=1")) == ours
    for theirs, said in (
        ({**ours, "gaugemc": "0.0.9"}, f"gaugemc=0.0.9, process 0 has gaugemc={ours['gaugemc']}: "),
        (told(composed("theory.beta=3")), "theory.beta=3.0, process 0 has theory.beta=2.0: "),
    ):
        lines = outcomes((0, 3), (1, 3), (2, 3), of=[ours, ours, theirs])
        assert all(f"process 2 has {said}start all with the same" in line for line in lines), lines


def test_processes_that_are_not_alike_do_not_train(key: jax.Array) -> None:
    """Those of another framework, which have found each other."""

    class Two(Alone):
        def gathered(self, own: Told) -> list[Told]:
            return [own, {**own, "seed": 2}]

    def begin(*_: object) -> NoReturn:
        raise AssertionError("has begun")

    train, descent = loop(lambda: nullcontext(Two()), begin, {"seed": 1}), Descent(1e-2, 1)
    state = start_training(jnp.zeros(2), descent.in_jax)
    with pytest.raises(ConnectionError, match="process 1 has seed=2, process 0 has seed=1: start"):
        next(train(lambda model, key, step: jnp.sum(model), descent, state, key, 1, 1))


def test_the_code_is_known_by_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    before = code.__wrapped__()
    assert before == code()
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda p: read(p) + b"#" * (p.name == "wilson.py"))
    assert code.__wrapped__() != before


def test_who_does_not_come_is_named() -> None:
    for place, problem in (
        (Place(0, 2, f"localhost:{free_port()}"), "process 1 has not come"),
        (Place(1, 2, f"localhost:{free_port()}"), "Connection refused"),
        (Place(1, 2, "no-such-host.invalid:61440"), ""),
    ):
        told = f"process {place.process}: 2 processes do not meet at {place.coordinator}: .*"
        with pytest.raises(ConnectionError, match=told + problem):
            addresses(place._replace(patience=0), {})


def test_a_port_in_use_is_refused() -> None:
    with (
        taken_port() as port,
        pytest.raises(SettingsError, match=rf"devices.coordinator=.*port {port} cannot be"),
    ):
        addresses(Place(0, 2, f"localhost:{port}"), {})


@pytest.mark.parametrize(
    ("visible", "on_host", "own"),
    [("", 1, "1"), ("4,5", 1, "5"), ("7", 1, "7"), ("4,5", None, "4,5"), ("", None, "")],
)
def test_a_process_knows_its_place_and_its_gpu(
    monkeypatch: pytest.MonkeyPatch, visible: str, on_host: int | None, own: str
) -> None:
    monkeypatch.setenv("TF_CONFIG", "")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr("gaugemc.run.meeting.addresses", lambda place, own: ["a:1", "b:2"])
    meet(Place(1, 2, "a:0", on_host), {})
    assert json.loads(os.environ["TF_CONFIG"])["cluster"] == {"worker": ["a:1", "b:2"]}
    assert (rank(), processes()) == (1, 2)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == own
