"""What each process does in test_processes.py: PROCESS PORT FOLDER.

Shares lattices and a batch, begins runs, goes on with another, and begins one that has no end.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from composed import composed
from cut_lattice import measured

from gaugemc.choices.devices import Place
from gaugemc.choices.settings import Settings
from gaugemc.cli import prepare_jax
from gaugemc.flows import vector_flow
from gaugemc.mesh import mesh_for
from gaugemc.run.experiment import run
from gaugemc.run.follower import follow
from gaugemc.run.processes import heard, join, leaving
from gaugemc.theories.toys import strongly_correlated_gaussian
from gaugemc.training import BetaSchedule, ReverseKL, start_training
from gaugemc.training.engine import JAX
from gaugemc.training.schedule import optimiser
from gaugemc.training.train import train

ENDLESS = 10**5
"""Chunks of a run that is killed in one of them."""


def losses(devices: Sequence[Any]) -> dict[str, np.ndarray]:
    """Of a hundred steps of training, in two precisions."""
    found = {}
    for dtype in ("float64", "float32"):
        theory = strongly_correlated_gaussian(np.dtype(dtype))
        key, adam = jax.random.key(5), optimiser(3e-3, 100)
        state = start_training(vector_flow(key, theory.space, n_layers=2, width=4), adam)
        objective = ReverseKL(theory, 8, BetaSchedule(1.0, 100))
        steps = train(objective, adam, state, key, 100, 50, devices)
        found[dtype] = np.concatenate([metrics.loss for _, metrics in steps])
    return found


def shared(devices: Sequence[Any]) -> dict[str, Any]:
    """Energies of lattices that these devices share, and losses; from a quick compiler."""
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        return measured(mesh_for(devices, len(devices)))[0] | losses(devices)
    finally:
        jax.config.update("jax_disable_most_optimizations", False)


LATTICE = ("theory=u1_2d", "theory.lattice=[4,4]", "theory.beta=1", "precision=fp64")


def settings(draws: int, chunks: int = 2, *words: str) -> Settings:
    """Of a small run."""
    return composed(
        "mode=debug",
        *(words or ["theory=ring"]),
        "sampler=hmc",
        "chains=4",
        "progress=false",
        "evaluate.configurations=true",
        "evaluate.warmup=4",
        f"evaluate.draws={draws}",
        f"evaluate.chunks={chunks}",
    )


if __name__ == "__main__":
    process, folder = int(sys.argv[1]), Path(sys.argv[3])
    prepare_jax()
    join(Place(process, 2, f"127.0.0.1:{sys.argv[2]}"), {})
    with leaving():
        numbers = shared(jax.devices())
        if process == 0:
            np.savez(folder / "shared.npz", **numbers)
        for name, asked in (
            ("two", settings(8)),
            ("one", settings(12)),
            ("cut", settings(8, 2, *LATTICE, "devices.parts=2")),
            ("endless", settings(10 * ENDLESS, ENDLESS)),
        ):
            try:
                with heard():
                    if process == 0:
                        run(asked, folder / name, extend=True)
                    else:
                        follow(asked, JAX)
            except ConnectionError as error:
                print(f"gaugemc: {error}", file=sys.stderr)
                sys.exit(1)
