"""Estimators of the gradient in training, compared: prints a Markdown table.

Each flow trains from the same start for the same number of steps, with the reverse KL divergence,
with path gradients, with batches that grow at the same number of draws, on draws of the theory and,
if it can, level by level. The time of a step leaves compilation out.
`noise` is the standard deviation of a gradient of one draw over that of the reverse KL, both at the
flow that the reverse KL trained. The multiscale flow starts from the solution at beta = 3.

    python benchmarks/estimators.py [--steps 400]
"""

import argparse
import time
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

from gaugemc.exact.u1 import log_partition_function
from gaugemc.flows import NCP, Flow, flux_flow, gauge_flow, pair_flow
from gaugemc.groups import U1
from gaugemc.spaces import Links
from gaugemc.theories import Wilson
from gaugemc.training import (
    BetaSchedule,
    ForwardKL,
    GrowingBatch,
    LevelKL,
    PathGradient,
    ReverseKL,
    SymmetricKL,
    optimiser,
    quality,
    quantile_flow,
    start_training,
    train,
)
from gaugemc.training.train import ChainObjective, Objective

BATCH = 64
GROWING = "reverse_kl, batch from 16 to 128"
CHUNK = 20
NOISE_DRAWS = 200


class Case(NamedTuple):
    """A flow and a theory, and the largest learning rate."""

    name: str
    flow: Callable[[Links], Flow]
    extent: int
    beta: float
    rate: float


CASES = [
    Case("ncp", lambda s: gauge_flow(jax.random.key(0), s, NCP(), n_layers=8), 4, 2, 5e-3),
    Case("flux", lambda s: flux_flow(jax.random.key(0), s, n_layers=8), 4, 2, 5e-3),
    Case("pair", lambda s: pair_flow(jax.random.key(0), s, n_layers=8), 4, 2, 5e-3),
    Case("multiscale", lambda s: quantile_flow(Wilson(s, 3.0)), 8, 4, 1e-2),
]


Trainer = Objective | ChainObjective | GrowingBatch


def objectives(case: Case, theory: Wilson, steps: int) -> dict[str, Trainer]:
    """What can train the case, by name."""
    beta = BetaSchedule(theory.beta, steps)
    found: dict[str, Trainer] = {
        "reverse_kl": ReverseKL(theory, BATCH, beta),
        "path_gradient": PathGradient(theory, BATCH, beta),
        GROWING: GrowingBatch(ReverseKL(theory, 2 * BATCH, beta), 3, steps),
        "forward_kl": ForwardKL(theory),
        "symmetric_kl": SymmetricKL(theory, BATCH),
    }
    if case.name == "multiscale":
        found["levels"] = LevelKL(theory, 96, log_partition_function(case.beta, case.extent**2))
    return found


def trained(case: Case, theory: Wilson, name: str, steps: int) -> tuple[Flow, float]:
    """The flow after its training, and the seconds of one step."""
    adam = optimiser(case.rate, steps)
    objective, key = objectives(case, theory, steps)[name], jax.random.key(1)
    of_theory = isinstance(objective, ForwardKL | SymmetricKL)
    chains = objective.start(key, BATCH) if of_theory else None
    state = start_training(case.flow(theory.space), adam, chains)

    def run() -> Flow:
        flow = state.model
        for reached, _ in train(objective, adam, state, key, steps, CHUNK):
            flow = reached.model
        return flow

    run()  # compiles
    started = time.perf_counter()
    return run(), (time.perf_counter() - started) / steps


def noise(objective: Objective, flow: Flow) -> float:
    """The standard deviation of the gradient of one draw, over all parameters."""
    parameters, static = eqx.partition(flow, eqx.is_inexact_array)
    last = jnp.asarray(10**6)

    def gradient(key: Array) -> Array:
        return ravel_pytree(
            jax.grad(lambda p: objective(eqx.combine(p, static), key, last))(parameters)
        )[0]

    each = jax.jit(jax.vmap(gradient))(jax.random.split(jax.random.key(2), NOISE_DRAWS))
    return float(jnp.sqrt(jnp.sum(jnp.var(each, axis=0))))


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400, help=f"a multiple of {CHUNK}")
    steps = parser.parse_args().steps
    print("| flow | lattice, beta | objective | ms a step | D_KL | ESS | noise |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for case in CASES:
        theory = Wilson(Links(U1(), (case.extent, case.extent), jnp.float32), float(case.beta))
        log_z = log_partition_function(case.beta, case.extent**2)
        reference: tuple[Flow, float] | None = None
        for name in objectives(case, theory, 1):
            flow, per_step = trained(case, theory, name, steps)
            measured = quality(flow, theory, jax.random.key(3), log_partition=log_z)
            ratio = ""
            if name in ("reverse_kl", "path_gradient"):
                one = eqx.tree_at(lambda o: o.batch, objectives(case, theory, 1)[name], 1)
                reference = reference or (flow, noise(one, flow))
                ratio = f"{noise(one, reference[0]) / reference[1]:.2f}"
            print(
                f"| {case.name} | {case.extent}x{case.extent}, {case.beta} | {name}"
                f" | {1e3 * per_step:.1f} | {measured.kl:.4f} | {measured.ess:.3f}"
                f" | {ratio} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
