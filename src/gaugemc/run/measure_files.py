"""What `gaugemc measure` finds in files of configurations."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from gaugemc.arrays import Field
from gaugemc.io import read_configuration
from gaugemc.io.configuration import Configuration, ConfigurationError
from gaugemc.lattice import planes, plaquettes
from gaugemc.observables.clover_charge import CloverCharge
from gaugemc.observables.energy import plane_energies
from gaugemc.observables.polyakov_loop import PolyakovLoop
from gaugemc.observables.polyakov_loop_imaginary import PolyakovLoopImaginary
from gaugemc.observables.rectangle import Rectangle
from gaugemc.spaces import Links
from gaugemc.statistics import flow_scales
from gaugemc.theories import flow_times, stable_flow

SCHEMA = 1


def measure_files(
    paths: Sequence[Path],
    *,
    flow_time: float,
    step: float,
    kernel: str,
    tolerance: float | None = None,
    lattice: tuple[int, ...] | None = None,
    report: Callable[[int, str], None] = lambda done, status: None,
) -> dict[str, Any]:
    """Measure configurations of one ensemble, which are taken to be independent.

    Args:
        paths: files in any format that `read_configuration` knows.
        flow_time: where the gradient flow ends; 0 for no flow.
        step: flow time between measurements; steps of the flow are as long, or shorter.
        kernel: of the flow: wilson, symanzik, iwasaki or dbw2.
        tolerance: of adapted steps of the flow; None for fixed ones.
        lattice: for LIME files that do not say it.
        report: called with the number of measurements done, and a file's name.

    Returns:
        What `docs/gradient-flow.md` lists, ready for JSON but for NaN.

    Raises:
        ConfigurationError: a file holds no configuration, or one of another group or lattice.
        OSError: a file cannot be read.
    """
    for path in paths:
        path.stat()  # before a long flow of the others
    times = flow_times(flow_time, step)
    files: list[dict[str, Any]] = []
    first: Links | None = None
    for path in paths:
        found = read_configuration(path, lattice=lattice)
        first = first or found.space
        if (first.group.name, first.lattice) != (found.space.group.name, found.space.lattice):
            raise ConfigurationError(
                f"{path}: {found.space.name}: not {first.name}, as {paths[0]}; measure them apart"
            )
        space = Links(first.group, first.lattice, jnp.float64)
        flow = stable_flow(space, kernel, step, tolerance)
        files.append({"file": str(path), **measured(found)})
        history = []
        x = jnp.asarray(found.links, space.field_dtype)
        for i, time in enumerate(times):
            x = flow(x, time - times[i - 1]) if i else x
            history.append(jax.tree.map(float, smooth_numbers(space, x)))
            report((len(files) - 1) * len(times) + i + 1, path.name)
        files[-1] |= history[0]
        if len(times) > 1:
            files[-1]["flow"] = of_flow(times, history)
    numbers: dict[str, Any] = {"schema": SCHEMA, "files": files}
    if len(times) > 1:
        energies = np.array([file["flow"]["energy"] for file in files])
        how = {"kernel": kernel, "step": step, "tolerance": tolerance, "time": flow_time}
        numbers["flow"] = how | flow_scales(times, energies)._asdict()
    return numbers


def measured(found: Configuration) -> dict[str, Any]:
    """What is measured of a configuration as it is in its file."""
    space = found.space
    x = jnp.asarray(found.links, np.result_type(found.links.dtype, np.float64))
    rectangle, *polyakov = loops(space, x)
    return {
        "format": found.format,
        "group": space.group.name,
        "lattice": list(space.lattice),
        "precision": str(np.dtype(space.real)),
        "checksum": found.checksum,
        "link_trace": found.link_trace,
        "rectangle": float(rectangle),
        "polyakov_loop": np.stack(polyakov, axis=1).tolist(),
    }


@eqx.filter_jit
def loops(space: Links, x: Field) -> tuple[Array, Array, Array]:
    """The mean rectangle, and real and imaginary parts of the Polyakov loops."""
    imaginary = PolyakovLoopImaginary()
    real = PolyakovLoop()(space, x)
    return (
        Rectangle()(space, x),
        real,
        imaginary(space, x) if imaginary.has_meaning(space) else jnp.zeros_like(real),
    )


@eqx.filter_jit
def smooth_numbers(space: Links, x: Field) -> dict[str, Array]:
    """Plaquettes, energies and, where there is one, the charge; also of space and of time alone."""
    d = len(space.lattice)
    in_time = np.array([nu == d - 1 for _, nu in planes(d)])
    p = jnp.mean(
        space.group.trace(plaquettes(space.group, x)), axis=tuple(range(1, d + 1)), dtype=float
    )
    e = plane_energies(space.group, x)
    found = {
        "plaquette": jnp.mean(p),
        "plaquette_time": jnp.mean(p[in_time]),
        "energy": jnp.sum(e),
        "energy_time": jnp.sum(e[in_time]),
    }
    if d > 2:
        found["plaquette_space"] = jnp.mean(p[~in_time])
        found["energy_space"] = jnp.sum(e[~in_time])
    charge = CloverCharge()
    return found | ({"charge": charge(space, x)} if charge.has_meaning(space) else {})


def of_flow(times: np.ndarray, history: list[dict[str, float]]) -> dict[str, Any]:
    """Histories by name, and the scales of this configuration alone."""
    series = {name: np.array([row[name] for row in history]) for name in history[0]}
    series = {"time": times, **series, "t2_energy": times**2 * series["energy"]}
    scales = flow_scales(times, series["energy"][None])
    listed = {name: values.tolist() for name, values in series.items()}
    return listed | {"t0": scales.t0, "w0": scales.w0}
