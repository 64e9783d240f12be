"""The training step of other frameworks over the native step of JAX, in one process.

24 NCP layers on 8x8, batch 64, float32: a chunk of steps of each loop in alternating rounds. Both
compile before the first round. A chunk of one step shows what every call of JAX costs.

    python benchmarks/frameworks.py [--steps 10] [--rounds 9]
"""

import argparse

import jax
import jax.numpy as jnp
from measure import ROUNDS, paired, timed

from gaugemc.flows import NCP, gauge_flow
from gaugemc.groups import U1
from gaugemc.interop.torch.train import Stage
from gaugemc.spaces import Links
from gaugemc.theories import Wilson
from gaugemc.training import BetaSchedule, ReverseKL, start_training
from gaugemc.training.train import advance

LINKS = Links(U1(), (8, 8), jnp.float32)
LAYERS, BATCH = 24, 64


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    key, descent = jax.random.key(0), Descent(1e-3, 1000)
    objective = ReverseKL(Wilson(LINKS, 2.0), BATCH, BetaSchedule(2.0, 1000))
    state = start_training(gauge_flow(key, LINKS, NCP(), n_layers=LAYERS), descent.in_jax)
    stage = Stage(objective, descent, state, key)

    def in_jax() -> object:
        return advance(objective, descent.in_jax, state, key, asked.steps)

    def in_torch() -> object:
        return stage.advance(asked.steps)

    ratio, spread = paired(in_torch, in_jax, asked.rounds)
    native, _ = timed(in_jax, asked.rounds)
    print("| what | value | spread |\n| --- | --- | --- |")
    print(f"| native step | {native / asked.steps * 1e3:.1f} ms | |")
    print(f"| PyTorch step over native | {ratio:.3f} | {spread:.3f} |")


if __name__ == "__main__":
    main()
