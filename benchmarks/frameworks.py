"""The training step of other frameworks over the native step of JAX, in one process.

24 NCP layers on 8x8, batch 64, float32: a chunk of steps of each loop in alternating rounds. Both
compile before the first round. A chunk of one step shows what every call of JAX costs.

    python benchmarks/frameworks.py [--steps 10] [--rounds 9]
"""

import argparse
from importlib import import_module
from importlib.util import find_spec

import jax
import jax.numpy as jnp
from measure import ROUNDS, paired, timed

from gaugemc.flows import NCP, gauge_flow
from gaugemc.groups import U1
from gaugemc.spaces import Links
from gaugemc.theories import Wilson
from gaugemc.training import BetaSchedule, ReverseKL, start_training
from gaugemc.training.schedule import Descent
from gaugemc.training.train import advance

LINKS = Links(U1(), (8, 8), jnp.float32)
LAYERS, BATCH = 24, 64
PACKAGES = {"PyTorch": "torch", "TensorFlow": "tensorflow"}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    key, descent = jax.random.key(0), Descent(1e-3, 1000)
    objective = ReverseKL(Wilson(LINKS, 2.0), BATCH, BetaSchedule(2.0, 1000))
    state = start_training(gauge_flow(key, LINKS, NCP(), n_layers=LAYERS), descent.in_jax)

    def in_jax() -> object:
        return advance(objective, descent.in_jax, state, key, asked.steps)

    native, _ = timed(in_jax, asked.rounds)
    print("| what | value | spread |\n| --- | --- | --- |")
    print(f"| native step | {native / asked.steps * 1e3:.1f} ms | |")
    for framework, package in PACKAGES.items():
        if find_spec(package) is None:
            print(f"| {framework} step over native | not installed | |")
            continue
        train, processes = (
            import_module(f"gaugemc.interop.{package}.{name}") for name in ("train", "processes")
        )
        stage = train.Stage(processes.Processes(), objective, descent, state, key)
        ratio, spread = paired(lambda: stage.advance(asked.steps), in_jax, asked.rounds)  # noqa: B023
        print(f"| {framework} step over native | {ratio:.3f} | {spread:.3f} |")


if __name__ == "__main__":
    main()
