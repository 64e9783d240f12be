"""Operations and bytes of each kernel, against what this machine can do: docs/performance.md.

    python benchmarks/limits.py

Operations and bytes are XLA's own counts for the compiled kernel. The limits are measured here:
operations by a product of large float32 matrices, bytes by a copy of an array that no cache holds.
A sine counts as its polynomial: about 25 operations.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from kernels import u1
from measure import timed
from rich.console import Console
from rich.table import Table

from gaugemc.flows import NCP, Flow, gauge_flow, multiscale_flow
from gaugemc.groups import SUN
from gaugemc.spaces import Links
from gaugemc.theories import Theory, Wilson
from gaugemc.training import BetaSchedule, ReverseKL

REPEATS = 20
CHAINS = 64


def limits() -> tuple[float, float]:
    """Operations and bytes per second."""
    n, size = 2048, 2**26
    matrix = jax.random.normal(jax.random.key(0), (n, n), jnp.float32)
    product = jax.jit(lambda a: a @ a)
    array = jnp.ones(size, jnp.float32)
    copy = jax.jit(lambda a: a + 1)
    return 2 * n**3 / timed(lambda: product(matrix))[0], 8 * size / timed(lambda: copy(array))[0]


def kernels() -> dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Functions with their arguments; each returns what its first argument is."""
    small, large = u1(8, 6.0), u1(16, 2.0)
    su3 = Wilson(Links(SUN(3), (4, 4, 4, 4), jnp.float64), 5.7)
    ncp = gauge_flow(jax.random.key(0), small.space, NCP())
    objective = ReverseKL(small, CHAINS, BetaSchedule(6.0, 1000))

    def force(theory: Theory, chains: int = CHAINS) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        x = jax.vmap(theory.space.random)(jax.random.split(jax.random.key(1), chains))
        return jax.vmap(lambda x: theory.space.move(x, theory.force(x), 1e-3)), (x,)

    def descent(flow: Flow) -> Flow:
        gradient = eqx.filter_grad(objective)(flow, jax.random.key(2), jnp.asarray(0))
        return eqx.apply_updates(flow, jax.tree.map(lambda g: -1e-4 * g, gradient))

    parameters, static = eqx.partition(ncp, eqx.is_inexact_array)

    def training(parameters: Any) -> Any:
        return eqx.filter(descent(eqx.combine(parameters, static)), eqx.is_inexact_array)

    return {
        "force, U(1), 16×16, 64 chains, float32": force(large),
        "force, 4D SU(3), 4^4, 4 chains, float64": force(su3, 4),
        "FT force, multiscale, 8×8, 64 chains": force(small.pullback(multiscale_flow(small.space))),
        "FT force, 24 NCP layers, 8×8, 64 chains": force(small.pullback(ncp)),
        "gradient of the reverse KL, 24 NCP layers, 8×8, batch 64": (training, (parameters,)),
    }


def measured(call: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[float, float, float]:
    """Operations, bytes and seconds of one call; timed in a compiled loop, without dispatch."""
    costs: Any = jax.jit(call).lower(*arguments).compile().cost_analysis()

    @jax.jit
    def repeated(first: Any) -> Any:
        return jax.lax.fori_loop(0, REPEATS, lambda _, carry: call(carry), first)

    return costs["flops"], costs["bytes accessed"], timed(lambda: repeated(*arguments))[0] / REPEATS


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    operations, bandwidth = limits()
    print(f"limits: {operations / 1e9:.0f} Gop/s, {bandwidth / 1e9:.1f} GB/s")
    table = Table("kernel", "Mop", "MB", "ms", "Gop/s", "of limit", "GB/s", "of limit")
    for name, (call, arguments) in kernels().items():
        ops, size, seconds = measured(call, arguments)
        rates = ops / seconds, size / seconds
        table.add_row(
            name,
            *(f"{value:.3g}" for value in (ops / 1e6, size / 1e6, seconds * 1e3)),
            *(f"{rates[0] / 1e9:.3g}", f"{rates[0] / operations:.0%}"),
            *(f"{rates[1] / 1e9:.3g}", f"{rates[1] / bandwidth:.0%}"),
        )
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
