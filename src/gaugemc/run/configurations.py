"""The configuration that a run's chains start from, and those that they end at."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PyTree

from gaugemc.arrays import Field
from gaugemc.chains.driver import start_chains
from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.io.configuration import (
    ConfigurationError,
    read_configuration,
    write_configuration,
)
from gaugemc.mesh import cutting, gathered, on_each, spread
from gaugemc.run.processes import mesh_of_run
from gaugemc.run.run_directory import RunDirectory
from gaugemc.samplers import Sampler
from gaugemc.spaces import Links
from gaugemc.theories import Theory


def read_start(path: Path | str, theory: Theory) -> Field:
    """The links in a file, in the theory's precision.

    Raises:
        ConfigurationError: the file cannot be used, or holds another group or lattice.
        OSError: the file cannot be read.
    """
    space = theory.space
    assert isinstance(space, Links)
    found = read_configuration(path, lattice=space.lattice, group=space.group)
    return jnp.asarray(found.links, space.dtype)


def kept_start(settings: Settings, directory: RunDirectory, theory: Theory) -> Field | None:
    """The links of `evaluate.start`, from a copy in the run, which no longer needs the file.

    Raises:
        SettingsError: there is neither the file nor the copy.
        ConfigurationError: one of the two is no configuration of this theory.
    """
    start, copy = settings.evaluate.start, directory.start
    if start is None:
        return None
    if not copy.is_file():
        try:
            write_configuration(copy, read_start(start, theory))
        except FileNotFoundError as error:
            problem = f"is gone, and so is its copy {copy}; bring back one of the two"
            raise SettingsError("evaluate.start", start, problem) from error
    try:
        return read_start(copy, theory)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}; remove it, and {start} is copied anew") from error


def new_chains(
    settings: Settings, start: Field | None, sampler: Sampler, key: Key[Array, ""]
) -> PyTree:
    """States of all chains: hot, maybe half of them cold, or all at the links of `start`."""
    if start is None:
        mesh = mesh_of_run(settings)
        return start_chains(sampler, key, settings.chains, settings.evaluate.cold, mesh)
    x = jax.jit(lambda x: sampler.theory.variable(x))(start)
    return continued(settings, sampler, jnp.broadcast_to(x, (settings.chains, *x.shape)))


def continued(settings: Settings, sampler: Sampler, x: Field) -> PyTree:
    """States of chains that go on from the variables x (leading axis: chain)."""
    mesh = mesh_of_run(settings)

    def part(x: Field) -> tuple[PyTree, None]:
        return jax.vmap(sampler.state)(x), None

    cut = cutting(mesh)
    states, _ = jax.jit(on_each(cut, part))(spread(gathered(x), cut))
    return spread(states, mesh)


def last_configurations(sampler: Sampler, states: PyTree) -> np.ndarray:
    """The last physical configuration of every chain, [chain, 1, ...]."""
    fields = jax.jit(jax.vmap(lambda x: sampler.theory.configuration(x)))(jnp.asarray(states.x))
    return np.asarray(gathered(fields))[:, None]


def write_last(settings: Settings, directory: RunDirectory, phase: str, fields: np.ndarray) -> None:
    """Write a file of each chain's last configuration, chains/PHASE-CHAIN.FORMAT."""
    for chain, links in enumerate(fields[:, 0]):
        form = settings.evaluate.format
        write_configuration(directory.chains / f"{phase}-{chain:04d}.{form}", links, form)
