"""Two processes of one core each beside one process of one core: docs/devices.md.

    python benchmarks/devices.py

Chains are shared, or a lattice is cut; about a minute. Lattices that are cut run XLA's code, so a
whole lattice runs both that code and the compiled kernels. Numbers mean something on a quiet
machine alone.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

ROUNDS = 7
CHAINS, DRAWS, STEPS = 64, 50, 10
REPEATS = 10
"""Forces of one call."""


def worker(process: int, processes: int, port: str, core: int) -> dict[str, float]:
    """Seconds of each thing, on this core and those of the other processes."""
    os.sched_setaffinity(0, {core})  # before JAX counts the cores
    import jax
    import jax.numpy as jnp
    from jax.experimental.multihost_utils import sync_global_devices

    jax.config.update("jax_enable_x64", True)
    import gaugemc as gm
    from gaugemc.chains.driver import Chunk, advance, start_chains
    from gaugemc.choices.devices import Place
    from gaugemc.mesh import gathered, mesh_for, on_each, spread
    from gaugemc.run.processes import join

    if processes > 1:
        join(Place(process, processes, f"127.0.0.1:{port}"), {})

    def median(call: Callable[[], Any]) -> float:
        times = []
        for _ in range(ROUNDS + 1):
            started = time.perf_counter()
            jax.block_until_ready(call())
            times.append(time.perf_counter() - started)
        return statistics.median(times[1:])

    def chains() -> Callable[[], Any]:
        theory = gm.Wilson(gm.Links(gm.U1(), (16, 16)), beta=2.0)
        sampler, mesh = gm.HMC(theory, 0.1, STEPS), mesh_for(jax.devices())
        states = start_chains(sampler, jax.random.key(0), CHAINS, mesh=mesh)
        first, length = jnp.asarray(0), jnp.asarray(DRAWS)
        chunk = Chunk(sampler, jax.random.key(1), first, length, mesh=mesh)

        def call() -> Any:
            nonlocal states
            states, measured = advance(chunk, states)
            return gathered(measured)

        return call

    def lattice(group: gm.Group, extents: tuple[int, ...], native: bool) -> Callable[[], Any]:
        group = group if native else group.without_kernels()
        theory, mesh = (
            gm.Wilson(gm.Links(group, extents), beta=6.0),
            mesh_for(jax.devices(), processes),
        )

        def part(x: Any) -> tuple[Any, Any]:
            def repeat(_: Any, carry: Any) -> Any:
                x, actions = carry
                action, force = jax.vmap(lambda x: (theory.action(x), theory.force(x)))(x)
                return x + 1e-9 * force, actions + action

            return jax.lax.fori_loop(0, REPEATS, repeat, (x, jnp.zeros(1)))

        x = spread(jax.jit(theory.space.random)(jax.random.key(0))[None], mesh)
        run = jax.jit(on_each(mesh, part))
        return lambda: run(x)

    found = {f"{CHAINS} chains of HMC, U(1) 16x16: a draw": median(chains()) / DRAWS}
    for group, extents in ((gm.U1(), (64, 64)), (gm.SUN(3), (8, 8, 8, 8))):
        name = f"action and force, {group.name} {'x'.join(map(str, extents))}"
        found[name] = median(lattice(group, extents, native=False)) / REPEATS
        if processes == 1:
            found[COMPILED + name] = median(lattice(group, extents, native=True)) / REPEATS
    if processes > 1:  # who ends first would take the other along
        sync_global_devices("end")
    return found


COMPILED = "compiled kernels: "


def measured(processes: int, cores: list[int]) -> dict[str, float]:
    """What process 0 of so many measures."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    started = [
        subprocess.Popen(
            [sys.executable, __file__, *map(str, (process, processes, port, cores[process]))],
            stdout=subprocess.PIPE,
            text=True,
        )
        for process in range(processes)
    ]
    said = [one.communicate()[0] for one in started]
    if any(one.returncode for one in started):
        sys.exit(1)
    return json.loads(said[0].splitlines()[-1])


def main() -> None:
    """Measure, and print a table."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("benchmarks/devices.py needs two cores")
    one, two = measured(1, cores), measured(2, cores)
    print("| ms | 1 process | 2 processes | ratio | 1 process, compiled kernels |")
    print("| --- | --- | --- | --- | --- |")
    for name, seconds in two.items():
        kernel = one.get(COMPILED + name)
        last = "" if kernel is None else f"{1e3 * kernel:.3g}"
        alone, both = 1e3 * one[name], 1e3 * seconds
        print(f"| {name} | {alone:.3g} | {both:.3g} | {alone / both:.2f} | {last} |")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        process, processes, port, core = sys.argv[1:]
        print(json.dumps(worker(int(process), int(processes), port, int(core))))
    else:
        main()
