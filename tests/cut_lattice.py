"""Lattices that two devices share: their energies, and what their programs send."""

import collections
import functools
import re
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from gaugemc.groups import SUN, U1
from gaugemc.mesh import gathered, on_each, spread
from gaugemc.observables.plaquette import Plaquette
from gaugemc.spaces import Links
from gaugemc.theories import Wilson

LATTICES = {"U(1)": (U1(), (64, 64)), "SU(3)": (SUN(3), (8, 8, 8, 8))}
SENDS = re.compile(r" (all-\w+|collective-\w+|reduce-scatter)\(")


def functions(theory: Wilson) -> dict[str, Callable[[Any], Any]]:
    """Of one configuration."""
    plaquette = functools.partial(Plaquette(), theory.space)
    return {
        "action": lambda x: theory.action(x),
        "force": lambda x: theory.force(x),
        "plaquette": plaquette,
    }


def measured(mesh: Mesh | None) -> tuple[dict[str, np.ndarray], dict[str, dict[str, int]]]:
    """Action, force and plaquette of a configuration, and what the program of each sends."""
    energies, sends = {}, {}
    for name, (group, lattice) in LATTICES.items():
        theory = Wilson(Links(group, lattice), 3.0)
        x = jax.jit(theory.space.random)(jax.random.key(3))
        for what, function in functions(theory).items():

            def part(x: Any, function: Callable[[Any], Any] = function) -> tuple[tuple, Any]:
                return (), jax.vmap(function)(x)

            chains = spread(x[None], mesh)
            program = jax.jit(on_each(mesh, part)).lower(chains).compile()
            energies[f"{name} {what}"] = np.asarray(gathered(program(chains)[1]))
            text = program.as_text()
            assert text is not None
            sends[f"{name} {what}"] = dict(collections.Counter(SENDS.findall(text)))
    return energies, sends
