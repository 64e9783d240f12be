"""Speed of the kernels: link updates, forces, training steps, and the second start of a run."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from measure import Call, Row, draws, paired, timed

from gaugemc.flows import NCP, Flow, gauge_flow, multiscale_flow
from gaugemc.groups import SUN, U1
from gaugemc.samplers import HMC, L2HMC, LEAPFROG, Heatbath, trainable_leapfrog
from gaugemc.spaces import Links
from gaugemc.theories import Theory, Wilson
from gaugemc.training import (
    BetaSchedule,
    ChargeJump,
    ExpectedJump,
    ReverseKL,
    optimiser,
    start_training,
    train,
)


def u1(extent: int, beta: float, group: U1 | None = None) -> Wilson:
    return Wilson(Links(group or U1(), (extent, extent), jnp.float32), beta)


def made_by(theory: Wilson) -> str:
    """What computes the forces of a theory."""
    return "compiled" if theory.compiled_couplings else "XLA's"


def updates(
    what: str, call: Call, count: float, target: str | None = None, peer: float | None = None
) -> Row:
    """Link updates per second of a call that does `count` of them."""
    middle, spread = timed(call)
    value = count / middle
    return Row(f"{what}: link updates/s", value, value * spread / middle, target, peer)


def link_updates() -> list[Row]:
    theory, length = u1(16, 2.0), 50
    hmc = draws(HMC(theory, 0.1, 16, LEAPFROG), 64, length)
    heatbath = draws(Heatbath(theory, overrelaxation=3), 64, 10)
    su3 = Wilson(Links(SUN(3), (4, 4, 4, 4), jnp.float64), 5.7)
    su3_hmc = draws(HMC(su3, 0.05, 8, LEAPFROG), 4, 5)
    plain = u1(16, 2.0, U1(native=False))
    plain_hmc = draws(HMC(plain, 0.1, 16, LEAPFROG), 64, length)
    links = 64 * theory.space.n_links
    what = "16×16, 64 chains, float32"
    su3_what = f"4D SU(3) HMC, 4^4, 4 chains, 8 leapfrogs, float64, {made_by(su3)}"
    hmc_what = f"HMC, {what}, 16 leapfrogs"
    return [
        updates(f"{hmc_what}, {made_by(theory)}", hmc, links * 16 * length, ">= 1e8", 1.9e7),
        updates(f"{hmc_what}, {made_by(plain)}", plain_hmc, links * 16 * length, ">= 1e8", 1.9e7),
        updates(f"heatbath + 3 overrelaxations, {what}", heatbath, links * 4 * 10),
        updates(su3_what, su3_hmc, 4 * su3.space.n_links * 8 * 5, None, 7.5e4),
    ]


def steps_of(objective: Any, model: Any, chains: Any, steps: int) -> Call:
    """`steps` steps of training in one compiled call."""
    adam = optimiser(1e-3, 1000)
    state = start_training(model, adam, chains)
    key = jax.random.key(1)

    def chunk() -> Any:
        trained = next(train(objective, adam, state, key, steps, steps))[0].model
        return eqx.filter(trained, eqx.is_array)

    return chunk


def training_step() -> Row:
    theory, steps = u1(8, 6.0), 20
    flow = gauge_flow(jax.random.key(0), theory.space, NCP())
    objective = ReverseKL(theory, 64, BetaSchedule(6.0, 1000))
    middle, spread = timed(steps_of(objective, flow, None, steps))
    what = "training step, 24 NCP layers, 8×8, batch 64: seconds"
    return Row(what, middle / steps, spread / steps, "<= 0.03", 0.15)


def force_ratios(what: str, theory: Wilson, flow: Flow, target: str | None = None) -> list[Row]:
    """Time of pulled-back forces of 64 chains over that of plain ones, compiled and XLA's.

    Each in a compiled loop, as in a trajectory: a plain force takes microseconds.
    """
    x = jax.vmap(theory.space.random)(jax.random.split(jax.random.key(1), 64))

    def loop(theory: Theory, times: int) -> Call:
        @eqx.filter_jit
        def forces(theory: Theory, x: jax.Array) -> jax.Array:
            def again(_: Any, x: jax.Array) -> jax.Array:
                return x + 1e-3 * jax.vmap(theory.force)(x)

            return jax.lax.fori_loop(0, times, again, x)

        return lambda: forces(theory, x)

    few, many = 5, 40
    rows = []
    for plain in (theory, u1(x.shape[-1], 6.0, U1(native=False))):
        ratio, spread = paired(loop(theory.pullback(flow), few), loop(plain, many))
        name = f"FT-HMC force / HMC force ({made_by(plain)}), {what}, 64 chains: time ratio"
        rows.append(Row(name, ratio * many / few, spread * many / few, target, 180))
    return rows


def coupling_force() -> list[Row]:
    theory = u1(8, 6.0)
    flow = gauge_flow(jax.random.key(0), theory.space, NCP())
    return force_ratios("24 NCP layers, 8×8", theory, flow)


def multiscale_force() -> list[Row]:
    """Forces on an untrained multiscale flow: the work does not depend on the parameters."""
    rows = []
    for extent in (8, 16):
        theory = u1(extent, 6.0)
        flow, what = multiscale_flow(theory.space), f"multiscale flow, {extent}×{extent}"
        rows += force_ratios(what, theory, flow, "<= 5")
    return rows


def l2hmc() -> list[Row]:
    """L2HMC with its default network on 16x16, beta 4, 64 chains."""
    theory, key, steps = u1(16, 4.0), jax.random.key(1), 8
    short = L2HMC(theory, trainable_leapfrog(key, theory.space, network="force"))
    hmc = HMC(theory, 0.1, short.n_leapfrogs, LEAPFROG)
    ratio, spread = paired(draws(short, 64, 20), draws(hmc, 64, 40))
    leapfrog = trainable_leapfrog(key, theory.space, n_layers=8, network="force")
    objective = ExpectedJump(theory, (ChargeJump(),))
    chains = objective.start(leapfrog, key, 64)
    middle, error = timed(steps_of(objective, leapfrog, chains, steps), 5)
    per_draw = "L2HMC draw / HMC draw, 8 leapfrogs, 16×16, 64 chains: time ratio"
    per_step = "L2HMC training step, 16 leapfrogs, 16×16, batch 64: seconds"
    return [
        Row(per_draw, 2 * ratio, 2 * spread, "<= 3", 6.6),
        Row(per_step, middle / steps, error / steps, "<= 0.1", 0.32),
    ]


def second_start() -> Row:
    """New files that a second start of the same run puts into an empty compilation cache."""
    with tempfile.TemporaryDirectory() as directory:
        cache = Path(directory) / "cache"
        environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(cache)}
        counts = []
        for start in range(2):
            command = [sys.executable, "-m", "gaugemc", "mode=debug", "progress=false"]
            command.append(f"hydra.run.dir={directory}/{start}")
            subprocess.run(command, env=environment, check=True, capture_output=True)
            counts.append(sum(1 for f in cache.iterdir() if f.name.endswith("-cache")))
    compiled = "programs compiled by the second start of the same run"
    return Row(compiled, counts[1] - counts[0], target="0")
