"""`gaugemc measure`: numbers and a picture of files of other codes; mistakes in one line."""

import functools
import json
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest

from gaugemc.conf import measurement
from gaugemc.groups import SUN
from gaugemc.io import write_configuration
from gaugemc.spaces import Links
from gaugemc.theories import gradient_flow

DATA = Path(__file__).parent / "data" / "configurations"
Command = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture
def measure(command: Command) -> Command:
    return functools.partial(command, "measure")


def test_numbers_of_a_file_and_of_its_flow(measure: Command, tmp_path: Path) -> None:
    source = DATA / "milc_lat.sample.l4448"
    code, out, err = measure(source, "--out=a.json", "--flow-time=0.25", "--step=0.1")
    assert (code, err) == (0, "")
    assert out.endswith("a.json\na.svg\n")
    assert "│ 0.1  │ 1.55509 " in out
    numbers = json.loads((tmp_path / "a.json").read_text())
    file = numbers["files"][0]
    stated = {
        "plaquette": 0.569055724369,
        "link_trace": 0.069216590061,
        "rectangle": 0.350194842726,
        "energy_time": 1.05787,
        "energy_space": 1.03094,
        "charge": 0.0955429,
    }
    for name, value in stated.items():
        assert abs(file[name] - value) < 1e-5
    polyakov = file["polyakov_loop"][3]
    np.testing.assert_allclose(polyakov, [0.00076656, 0.00055879], atol=1e-8)
    assert file["flow"]["time"] == pytest.approx([0, 0.1, 0.2, 0.25])
    assert file["flow"]["energy_time"][2] == pytest.approx(0.506125, abs=1e-6)
    assert file["flow"]["t2_energy"][1] == pytest.approx(0.01 * file["flow"]["energy"][1])
    assert numbers["flow"]["t0"] is None  # not reached
    assert numbers["flow"]["kernel"] == "wilson"
    assert (tmp_path / "a.svg").read_text().count("<svg") == 1


def test_many_files_of_a_group_without_a_charge(
    measure: Command, tmp_path: Path, key: jax.Array
) -> None:
    """Two dimensions; and by default the numbers are beside the first file."""
    space = Links(SUN(2), (4, 4))
    for name, k in zip("ab", jax.random.split(key)):
        write_configuration(tmp_path / f"{name}.h5", space.random(k))
    code, out, _ = measure("a.h5", "b.h5")
    assert (code, out.count("clover energy E")) == (0, 2)
    numbers = json.loads((tmp_path / "a.h5.json").read_text())
    assert [file["file"] for file in numbers["files"]] == ["a.h5", "b.h5"]
    assert "charge" not in numbers["files"][0]
    assert list(tmp_path.glob("*.svg")) == []


SOURCE = DATA / "milc_lat.sample.l4444.ildg"
MISTAKES = [
    ((), "measure: the following arguments are required: FILE; gaugemc measure --help lists"),
    ((SOURCE, "--flow-time=-1"), "measure: argument --flow-time: '-1' must be a positive, finite"),
    ((SOURCE, "--step=0.1"), "measure: --step is of the flow: give --flow-time=T as well"),
    ((SOURCE, "--kernel=x"), "measure: argument --kernel: invalid choice: 'x'"),
    ((SOURCE, "--flow-time=many"), "measure: argument --flow-time: 'many' must be a positive"),
    (
        (SOURCE, "--flow-time=1e9"),
        "measure: --flow-time=1e+09: more than 100000 steps of 0.05",
    ),
    ((SOURCE, "--flow-time=1", "--step=1e-300"), "measure: --flow-time=1: more than 100000 steps"),
    (
        (SOURCE, "--flow-time=1", "--tolerance=1e-17"),
        "measure: --tolerance=1e-17: must be at",
    ),
    ((SOURCE, "--out=a.txt"), "measure: --out=a.txt: must end in .json"),
    ((SOURCE, "--out=no/a.json"), "measure: --out=no/a.json: no is no directory that can be"),
    (
        ("here.json", "--out=no/../here.json"),
        "measure: --out=no/../here.json: no/.. is no",
    ),
    (
        ("./a.json", "--out=a.json"),
        "measure: --out=a.json: would replace a.json, a file",
    ),
    (("./a.svg", "--out=a.json"), "measure: --out=a.json: would replace a.svg, a file"),
    ((SOURCE, f"--out={'x' * 300}/a.json"), f"measure: --out={'x' * 300}/a.json: "),
    ((".",), "measure: '.' is no file"),
    ((SOURCE, "absent"), "absent: No such file or directory"),
    ((SOURCE, f"{DATA}/../configurations/{SOURCE.name}"), "measure: "),
    ((DATA,), f"{DATA}: not a regular file"),
    ((SOURCE, DATA / "milc_lat.sample.l4448"), f"{DATA / 'milc_lat.sample.l4448'}: 4D SU(3) links"),
    ((SOURCE, "--lattice=4,4,4,8"), f"{SOURCE}: lattice [4, 4, 4, 4]: not [4, 4, 4, 8]"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[m[1] for m in MISTAKES])
def test_a_mistake_is_one_line(
    measure: Command, tmp_path: Path, arguments: tuple[str | Path, ...], message: str
) -> None:
    arguments = (*arguments, "--out=a.json") if arguments == (DATA,) else arguments
    code, out, err = measure(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"gaugemc: {message}")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_smallest_tolerance_is_that_of_the_flow() -> None:
    assert measurement.LEAST_TOLERANCE == gradient_flow.LEAST_TOLERANCE
