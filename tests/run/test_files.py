"""Runs that start from a file, and that leave their configurations in files of the field."""

import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.choices.build import build_theory
from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.choices.uses import unused
from gaugemc.choices.validation import refuse
from gaugemc.conf.composition import composed
from gaugemc.flows import Flow
from gaugemc.groups import SUN, U1
from gaugemc.io import ConfigurationError, read_configuration, write_configuration
from gaugemc.io.ensemble import read_draws
from gaugemc.run.configurations import kept_start, new_chains, write_last
from gaugemc.run.experiment import run
from gaugemc.run.run_directory import RunDirectory
from gaugemc.samplers import HMC
from gaugemc.spaces import Links
from gaugemc.theories import Wilson

DATA = Path(__file__).parent.parent / "data" / "configurations"
SU3 = ["sampler=hmc", "theory=su3_4d", "theory.lattice=[4,4,4,8]", "chains=3"]


def settings(*overrides: str) -> Settings:
    return composed([*overrides, "progress=false"])


@pytest.mark.parametrize("precision", ["fp32", "fp64"])
def test_all_chains_start_from_a_file_of_another_code(tmp_path: Path, precision: str) -> None:
    path = DATA / "pyquda_weak_field.lime"
    made = settings(*SU3, f"evaluate.start={path}", f"precision={precision}")
    theory, directory = build_theory(made), RunDirectory(tmp_path)
    start = kept_start(made, directory, theory)
    states = new_chains(made, start, HMC(theory, 0.1, 2), jax.random.key(1))
    links = read_configuration(path).links
    assert states.x.dtype == theory.space.field_dtype
    for x in states.x:
        np.testing.assert_allclose(x, links, rtol=0, atol=0 if precision == "fp64" else 1e-7)
    plaquette = jax.vmap(theory.observables)(states.x)["plaquette"]
    np.testing.assert_allclose(plaquette, 0.9948041322666998, atol=1e-6)


@pytest.mark.parametrize(("cold", "aligned"), [("true", [0, 0, 1, 1]), ("false", [0, 0, 0, 0])])
def test_half_of_the_chains_start_cold_or_none(cold: str, aligned: list[int]) -> None:
    made = settings("theory.lattice=[4,4]", "chains=4", f"evaluate.cold={cold}")
    theory = build_theory(made)
    states = new_chains(made, None, HMC(theory, 0.1, 2), jax.random.key(1))
    plaquette = jax.vmap(theory.observables)(states.x)["plaquette"]
    np.testing.assert_array_equal(plaquette == 1, aligned)


def test_a_run_starts_from_its_own_copy(tmp_path: Path) -> None:
    """The file may be gone when the run goes on."""
    file, path = tmp_path / "start.hdf5", tmp_path / "run"
    links = Links(U1(), (4, 4), np.float32).random(jax.random.key(1))
    write_configuration(file, links)
    made = settings(
        "mode=debug",
        "theory.lattice=[4,4]",
        "theory.beta=100",
        "sampler=hmc",
        "chains=2",
        "evaluate.draws=4",
        "evaluate.warmup=0",
        "evaluate.tune_iterations=1",
        "evaluate.tune_draws=2",
        "evaluate.lengths=[0.001]",
        "evaluate.timing_rounds=1",
        f"evaluate.start={file}",
    )
    run(made, path)
    first, _ = read_draws(path / "chains/evaluate.h5")
    wanted = read_configuration(file).plaquette
    np.testing.assert_allclose(first.observables["plaquette"][:, 0], wanted, atol=0.05)
    file.unlink()
    shutil.rmtree(path / "checkpoints")
    run(made, path)
    again, _ = read_draws(path / "chains/evaluate.h5")
    jax.tree.map(np.testing.assert_array_equal, again, first)


class Turn(Flow):
    """x = z + 0.3."""

    def forward(self, z: Any) -> Any:
        return z + 0.3, jnp.zeros(())

    def inverse(self, x: Any) -> Any:
        return x - 0.3, jnp.zeros(())


def test_chains_start_in_the_variables_of_a_flow(tmp_path: Path) -> None:
    key, space = jax.random.key(1), Links(U1(), (4, 4))
    links = space.random(key)
    write_configuration(tmp_path / "a.h5", links)
    made = settings("theory.lattice=[4,4]", "chains=2", f"evaluate.start={tmp_path / 'a.h5'}")
    theory, directory = Wilson(space, 2.0).pullback(Turn()), RunDirectory(tmp_path)
    start = kept_start(made, directory, theory)
    states = new_chains(made, start, HMC(theory, 0.1, 2), key)
    for x in states.x:
        np.testing.assert_allclose(x, links - 0.3, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["theory=su3_4d", "theory.lattice=[4,4,4,4]"], "lattice [4, 4, 4, 8]: not [4, 4, 4, 4]"),
        (
            ["theory=su3_4d", "theory.group=SU2", "theory.lattice=[4,4,4,8]"],
            "links of SU(3): not of SU(2)",
        ),
    ],
)
def test_a_file_of_another_theory_is_refused(
    tmp_path: Path, overrides: list[str], message: str
) -> None:
    path = DATA / "milc_lat.sample.l4448"
    made = settings("sampler=hmc", *overrides, f"evaluate.start={path}")
    with pytest.raises(ConfigurationError) as caught:
        kept_start(made, RunDirectory(tmp_path), build_theory(made))
    assert str(caught.value) == f"{path}: {message}"
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_is_gone_or_replaced_says_what_to_do(tmp_path: Path) -> None:
    """The file itself may have been moved since the run began."""
    key, space = jax.random.key(1), Links(U1(), (4, 4))
    file = tmp_path / "a.h5"
    made = settings("theory.lattice=[4,4]", "chains=2", f"evaluate.start={file}")
    theory, directory = Wilson(space, 2.0), RunDirectory(tmp_path)
    with pytest.raises(SettingsError) as gone:
        kept_start(made, directory, theory)
    copy = directory.start
    assert str(gone.value) == (
        f"evaluate.start={file}: is gone, and so is its copy {copy}; bring back one of the two"
    )
    write_configuration(copy, Links(U1(), (4, 6)).random(key))
    with pytest.raises(ConfigurationError) as other:
        kept_start(made, directory, theory)
    assert str(other.value) == (
        f"{copy}: lattice [4, 6]: not [4, 4]; remove it, and {file} is copied anew"
    )


@pytest.mark.parametrize("form", ["nersc", "ildg"])
def test_last_configurations_are_files_of_other_codes(tmp_path: Path, form: str) -> None:
    made = settings(*SU3, "evaluate.configurations=true", f"evaluate.format={form}")
    directory = RunDirectory(tmp_path)
    directory.chains.mkdir()
    fields = np.stack([Links(SUN(3), (4, 4, 4, 8)).origin()] * 3)
    fields[2] *= np.exp(2j * np.pi / 3)
    write_last(made, directory, "evaluate", fields[:, None])
    names = [f"evaluate-000{chain}.{form}" for chain in range(3)]
    assert sorted(path.name for path in directory.chains.iterdir()) == names
    for name, links in zip(names, fields):
        found = read_configuration(directory.chains / name)
        assert found.format == form
        np.testing.assert_array_equal(found.links, links)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["evaluate.configurations=true", "evaluate.format=ildg"],
            "evaluate.format=ildg: holds 4D SU(N) links, not 2D U(1): choose hdf5",
        ),
        (["evaluate.format=milc"], "evaluate.format=milc: choose one of hdf5, nersc, ildg"),
        (
            ["theory=ring", "sampler=hmc", "evaluate.start=a.h5"],
            "evaluate.start=a.h5: ring has no links",
        ),
        (["evaluate.start='  '"], "evaluate.start=  : must not be empty"),
    ],
)
def test_files_without_a_meaning_are_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        refuse(settings(*overrides))
    assert str(caught.value) == message


def test_a_format_of_nothing_is_unused() -> None:
    key = "evaluate.format"
    assert unused(settings(*SU3), [key]) == {key: "evaluate.configurations=false"}
    assert unused(settings(*SU3, "evaluate.configurations=true"), [key]) == {}
