"""Where a process stands, from the variables of what started it."""

import pytest

from gaugemc.choices.devices import DevicesSettings, Place, first_host, place_of, rank_of
from gaugemc.choices.option import SettingsError

SLURM = {
    "SLURM_PROCID": "3",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_JOB_ID": "5000",
    "SLURM_STEP_NODELIST": "n[003-004]",
    "SLURM_LOCALID": "1",
}
OPEN_MPI = {
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_SIZE": "2",
    "OMPI_COMM_WORLD_LOCAL_RANK": "0",
}
PALS = {"PMI_RANK": "5", "PMI_SIZE": "8", "PALS_LOCAL_RANKID": "1"}
MPICH = {"PMI_RANK": "5", "PMI_SIZE": "8", "MPI_LOCALRANKID": "2"}


def asked(launcher: str, **options: object) -> DevicesSettings:
    return DevicesSettings(launcher=launcher, **options)  # pyright: ignore


def test_each_launcher_is_understood() -> None:
    assert place_of(DevicesSettings(), SLURM) == Place()
    assert place_of(asked("slurm"), SLURM) == Place(3, 4, "n003:62344", 1)
    at = asked("mpi", coordinator="a:61440")
    assert place_of(at, OPEN_MPI) == Place(1, 2, "a:61440", 0)
    assert place_of(at, PALS) == Place(5, 8, "a:61440", 1)
    assert place_of(at, MPICH) == Place(5, 8, "a:61440", 2)
    hand = asked("hand", processes=2, process=1, coordinator="b:1")
    assert place_of(hand, {}) == Place(1, 2, "b:1")


@pytest.mark.parametrize(
    ("nodes", "first"),
    [("n1", "n1"), ("n[003-007,9],m1", "n003"), ("gpu-a[7]", "gpu-a7"), ("a,b", "a")],
)
def test_the_first_host_of_a_list(nodes: str, first: str) -> None:
    assert first_host(nodes) == first


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"SLURM_PROCID": "4"}, "this is process 4 of 4, and the first one is 0"),
        ({"SLURM_PROCID": "-1"}, "SLURM_PROCID=-1 is no number: start with srun"),
        ({"SLURM_STEP_NUM_TASKS": None}, "SLURM_STEP_NUM_TASKS is not set: start with srun"),
        ({"SLURM_STEP_NODELIST": ""}, "SLURM_STEP_NODELIST= names no node"),
    ],
)
def test_a_variable_that_lies_is_refused(changed: dict[str, str | None], said: str) -> None:
    there = {name: value for name, value in (SLURM | changed).items() if value is not None}
    with pytest.raises(SettingsError, match=f"devices.launcher=slurm: {said}") as refused:
        place_of(asked("slurm"), there)
    assert "\n" not in str(refused.value)


def test_processes_need_a_place_to_meet() -> None:
    for coordinator in (None, "node1", "node1:port"):
        with pytest.raises(SettingsError, match="needs HOST:PORT of process 0"):
            place_of(asked("hand", processes=2, coordinator=coordinator), {})


def test_the_rank_is_known_from_the_first_moment() -> None:
    assert rank_of(["devices.launcher=slurm", "chains=8"], SLURM) == 3
    assert rank_of(["devices.launcher=mpi"], PALS) == 5
    by_hand = ["devices.launcher=hand", "devices.process=2", "devices.processes=3"]
    assert rank_of(by_hand, {}) == 2
    assert rank_of(["chains=8"], SLURM | PALS) == 0


@pytest.mark.parametrize("lie", [{"SLURM_PROCID": "4"}, {"SLURM_STEP_NUM_TASKS": ""}])
def test_who_is_wrong_about_its_place_says_so(lie: dict[str, str]) -> None:
    """As process 0 does; the others leave what all find to process 0."""
    assert rank_of(["devices.launcher=slurm"], SLURM | lie) == 0
    assert rank_of(["devices.launcher=hand", "devices.process=2"], {}) == 0
