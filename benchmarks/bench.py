"""The numbers of the project, measured here and now: prints a table and writes JSON.

Each number is the median of several rounds. Targets are those for two CPU cores; the peers'
numbers were measured on two cores of another machine, so only ratios far from 1 mean anything.

    python benchmarks/bench.py [--json FILE]
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from rich.console import Console
from rich.table import Table

from gaugemc.analysis.exact_u1 import log_partition_function
from gaugemc.conf.groups import FLOW_CHANGES
from gaugemc.flows import NCP, Flow, gauge_flow, multiscale_flow
from gaugemc.groups import SUN, U1
from gaugemc.samplers import HMC, L2HMC, LEAPFROG, Heatbath, Sampler, trainable_leapfrog
from gaugemc.samplers.driver import advance, start_chains
from gaugemc.theories import Links, Wilson
from gaugemc.training import (
    BetaSchedule,
    ChargeJump,
    ExpectedJump,
    LevelKL,
    ReverseKL,
    optimiser,
    quality,
    start_training,
    train,
)

ROUNDS = 9


def median_seconds(call: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """Median wall time of a call, after one that compiles."""
    jax.block_until_ready(call())
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def seconds_per_draw(sampler: Sampler, chains: int, draws: int) -> float:
    """Median seconds of one draw of all chains, through the driver's compiled call."""
    states = start_chains(sampler, jax.random.key(0), chains)
    first, length = jnp.asarray(0), jnp.asarray(draws)
    return (
        median_seconds(lambda: advance(sampler, states, jax.random.key(1), first, length)) / draws
    )


def hmc_link_updates() -> dict[str, Any]:
    theory = Wilson(Links(U1(), (16, 16), jnp.float32), 2.0)
    seconds = seconds_per_draw(HMC(theory, 0.1, 16, LEAPFROG), chains=64, draws=50)
    return {
        "what": "HMC, 16x16, 64 chains, float32, 16 leapfrogs: link updates/s",
        "value": 64 * 512 * 16 / seconds,
        "target": ">= 1e8",
        "peer": 1.9e7,
    }


def heatbath_link_updates() -> dict[str, Any]:
    theory = Wilson(Links(U1(), (16, 16), jnp.float32), 2.0)
    seconds = seconds_per_draw(Heatbath(theory, overrelaxation=3), chains=64, draws=10)
    return {
        "what": "heatbath + 3 overrelaxations, 16x16, 64 chains, float32: link updates/s",
        "value": 64 * 512 * 4 / seconds,
        "target": None,
        "peer": None,
    }


def su3_link_updates() -> dict[str, Any]:
    theory = Wilson(Links(SUN(3), (4, 4, 4, 4), jnp.float64), 5.7)
    seconds = seconds_per_draw(HMC(theory, 0.05, 8, LEAPFROG), chains=4, draws=5)
    return {
        "what": "4D SU(3) HMC, 4^4, 4 chains, 8 leapfrogs, float64: link updates/s",
        "value": 4 * 1024 * 8 / seconds,
        "target": None,
        "peer": 7.5e4,
    }


def training_step() -> dict[str, Any]:
    theory = Wilson(Links(U1(), (8, 8), jnp.float32), 6.0)
    steps = 20
    adam = optimiser(1e-3, 1000)
    state = start_training(gauge_flow(jax.random.key(0), theory.space, NCP()), adam)
    objective = ReverseKL(theory, 64, BetaSchedule(6.0, 1000))

    def chunk() -> Any:
        return next(train(objective, adam, state, jax.random.key(1), steps, steps))[0].model

    seconds = median_seconds(lambda: eqx.filter(chunk(), eqx.is_array)) / steps
    return {
        "what": "training step, 24 NCP layers, 8x8, batch 64: seconds",
        "value": seconds,
        "target": "<= 0.03",
        "peer": 0.15,
    }


def trained_multiscale() -> tuple[Wilson, Flow, float]:
    """The flow that flow=multiscale trains for 8x8 and beta = 6, and the seconds that it took."""
    started = time.perf_counter()
    theory = Wilson(Links(U1(), (8, 8), jnp.float32), 6.0)
    settings = FLOW_CHANGES["multiscale"]["training"]
    steps = settings["steps"]
    adam = optimiser(settings["learning_rate"], steps)
    state = start_training(multiscale_flow(theory.space), adam)
    objective = LevelKL(theory, settings["batch"], log_partition_function(6.0, 64))
    *_, (state, _) = train(objective, adam, state, jax.random.key(1), steps, settings["chunk"])
    return theory, state.model, time.perf_counter() - started


def multiscale_rows() -> list[dict[str, Any]]:
    theory, flow, seconds = trained_multiscale()
    rows = [
        {
            "what": "multiscale flow, 8x8, beta 6: seconds of training, with compilation",
            "value": seconds,
            "target": "<= 60",
            "peer": None,
        }
    ]
    for extent, target in ((8, ">= 0.98"), (16, None), (32, None)):
        larger = Wilson(Links(U1(), (extent, extent), jnp.float32), 6.0)
        carried = flow.on((extent, extent))
        ess = quality(carried, larger, jax.random.key(3), batch=256).ess
        how = "" if extent == 8 else ", carried without training"
        what = f"multiscale flow, {extent}x{extent}, beta 6{how}: ESS of 4096"
        rows.append({"what": what, "value": ess, "target": target, "peer": None})
    ratio = force_ratio(theory, flow)
    what = "FT-HMC force / HMC force, multiscale flow, 8x8, 64 chains: time ratio"
    return [*rows, {"what": what, "value": ratio, "target": "<= 5", "peer": 180}]


def coupling_force_ratio() -> dict[str, Any]:
    theory = Wilson(Links(U1(), (8, 8), jnp.float32), 6.0)
    flow = gauge_flow(jax.random.key(0), theory.space, NCP())
    return {
        "what": "FT-HMC force / HMC force, 24 NCP layers, 8x8, 64 chains: time ratio",
        "value": force_ratio(theory, flow),
        "target": None,
        "peer": 180,
    }


def force_ratio(theory: Wilson, flow: Flow) -> float:
    """Time of a pulled-back force over that of a plain one: median over alternating rounds."""
    x = jax.vmap(theory.space.random)(jax.random.split(jax.random.key(1), 64))
    plain = eqx.filter_jit(lambda x: jax.vmap(theory.force)(x))
    pulled_back = eqx.filter_jit(lambda f, x: jax.vmap(theory.pullback(f).force)(x))
    ratios = [
        median_seconds(lambda: pulled_back(flow, x), 3) / median_seconds(lambda: plain(x), 9)
        for _ in range(5)
    ]
    return statistics.median(ratios)


def l2hmc_rows() -> list[dict[str, Any]]:
    """L2HMC with its default network on 16x16, beta 4, 64 chains."""
    theory = Wilson(Links(U1(), (16, 16), jnp.float32), 4.0)
    options: dict[str, Any] = {"network": "gauge", "hidden": (8,)}
    key, steps = jax.random.key(1), 4
    short = L2HMC(theory, trainable_leapfrog(key, theory.space, **options))
    hmc = HMC(theory, 0.1, short.n_leapfrogs, LEAPFROG)
    ratios = [seconds_per_draw(short, 64, 4) / seconds_per_draw(hmc, 64, 20) for _ in range(3)]
    leapfrog = trainable_leapfrog(key, theory.space, n_layers=8, **options)
    objective, adam = ExpectedJump(theory, (ChargeJump(),)), optimiser(1e-3, 100)
    state = start_training(leapfrog, adam, objective.start(leapfrog, key, 64))

    def chunk() -> Any:
        return next(train(objective, adam, state, key, steps, steps))[0].model

    seconds = median_seconds(lambda: eqx.filter(chunk(), eqx.is_array)) / steps
    return [
        {
            "what": "L2HMC draw / HMC draw, 8 leapfrogs, 16x16, 64 chains: time ratio",
            "value": statistics.median(ratios),
            "target": "<= 3",
            "peer": 6.6,
        },
        {
            "what": "L2HMC training step, 16 leapfrogs, 16x16, batch 64: seconds",
            "value": seconds,
            "target": "<= 0.1",
            "peer": 0.32,
        },
    ]


def second_start() -> dict[str, Any]:
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
    return {
        "what": "programs compiled by the second start of the same run",
        "value": counts[1] - counts[0],
        "target": "0",
        "peer": None,
    }


BENCHMARKS = (
    hmc_link_updates,
    heatbath_link_updates,
    su3_link_updates,
    training_step,
    coupling_force_ratio,
    multiscale_rows,
    l2hmc_rows,
    second_start,
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", type=Path, default=Path("outputs/bench.json"))
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    console = Console(stderr=True)
    rows = []
    for benchmark in BENCHMARKS:
        with console.status(benchmark.__name__.replace("_", " ")):
            measured = benchmark()
            rows += measured if isinstance(measured, list) else [measured]
    table = Table("what", "measured", "target", "peer")
    for row in rows:
        cells = [row["value"], row["target"], row["peer"]]
        table.add_row(
            row["what"],
            *("" if c is None else c if isinstance(c, str) else f"{c:.3g}" for c in cells),
        )
    Console(width=110).print(table)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    device = jax.devices()[0]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {device.device_kind}"
    arguments.json.write_text(
        json.dumps({"machine": machine, "jax": jax.__version__, "rows": rows}, indent=2) + "\n"
    )
    print(arguments.json)


if __name__ == "__main__":
    main()
