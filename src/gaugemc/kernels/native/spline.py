"""The spline of the multiscale flow with its derivatives, as a compiled kernel."""

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Float

from gaugemc.kernels.native.library import targets

Number = Float[Array, "..."]


def spline(
    reads: Float[Array, "row angle 4"], angle: Number, flux: Number, tail: float, core: float
) -> tuple[Number, ...]:
    """Value and log slope of a split's spline, and the derivatives of both by angle and flux.

    Args:
        reads: what a `SplitTable` reads.
        angle: angles of any shape, in [-pi, pi].
        flux: a flux for each angle.
        tail: the smallest distance from pi that the knots resolve, in units of pi.
        core: how many of the knots are even, as weight in their density.
    """

    @custom_vmap
    def run(reads: Number, angle: Number, flux: Number) -> tuple[Number, ...]:
        result = (jax.ShapeDtypeStruct(angle.shape, angle.dtype),) * 6
        call = jax.ffi.ffi_call(targets()["spline"], result)
        return tuple(call(reads, angle, flux, tail=tail, core=core))

    @run.def_vmap
    def many(size: int, batched: list[bool], *arguments: Number) -> tuple:
        # One table serves all chains.
        tables, angle, flux = (
            a if there else jnp.broadcast_to(a, (size, *a.shape)) if i or batched[0] else a
            for i, (a, there) in enumerate(zip(arguments, batched))
        )
        if batched[0]:
            result = jax.lax.map(lambda one: run(*one), (tables, angle, flux))
        else:
            result = run(tables, angle, flux)
        return result, (True,) * 6

    return run(reads, angle, flux)
