"""The compiled kernels as functions of one configuration.

Under `jax.vmap` all chains arrive in one call. Links have shape (d, L_0, ..., L_{d-1}, N, N).
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Complex, Float, Int

from gaugemc.kernels.native.library import targets

Links = Complex[Array, "d ... N N"]
Couplings = tuple[Float[Array, ""], ...]


def is_compiled(n: int, dtype: DTypeLike) -> bool:
    """Whether there are compiled kernels for SU(n) links of this type, on the default device.

    The first question builds the kernels, which takes seconds.
    """
    known = n in (2, 3) and np.dtype(dtype) in (np.complex64, np.complex128)
    wide = jnp.result_type(float) == jnp.float64  # couplings and sums
    return known and wide and jax.default_backend() == "cpu" and bool(targets())


def twinned(kernel: Callable[..., Any], twin: Callable[..., Any]) -> Callable[..., Any]:
    """A compiled kernel with the derivatives of its twin. Where they are taken, the twin runs."""
    run = eqx.filter_custom_jvp(kernel)
    run.def_jvp(lambda primals, tangents: eqx.filter_jvp(twin, primals, tangents))
    return run


def force(links: Links, couplings: Couplings) -> Links:
    """The left derivative of -(1 / N) sum_i b_i sum Re tr of loops; algebra elements of links.

    The couplings are b_0 of plaquettes, and b_1 of 1 x 2 rectangles if there are any.
    """
    result = jax.ShapeDtypeStruct(links.shape, links.dtype)
    return _call("force", result, links, _numbers(couplings))


def staples(links: Links, couplings: Couplings) -> Links:
    """A such that -Re tr(U A) / N is the part of this action that each link U is in."""
    result = jax.ShapeDtypeStruct(links.shape, links.dtype)
    return _call("staples", result, links, _numbers(couplings))


def plaquette_sum(links: Links) -> Float[Array, ""]:
    """The sum of Re tr P / N over all plaquettes, in float64."""
    return _call("plaquette_sum", jax.ShapeDtypeStruct((), jnp.float64), links)


def rectangle_sum(links: Links) -> Float[Array, ""]:
    """The sum of Re tr R / N over all 1 x 2 and 2 x 1 rectangles, in float64."""
    return _call("rectangle_sum", jax.ShapeDtypeStruct((), jnp.float64), links)


def move(links: Links, momenta: Links, dt: Float[Array, ""]) -> Links:
    """exp(dt v) u for each link u and its momentum v."""
    _check_alike(links, momenta)
    result = jax.ShapeDtypeStruct(links.shape, links.dtype)
    return _call("move", result, links, momenta, jnp.asarray(dt, jnp.float64))


def trajectory(
    links: Links,
    momenta: Links,
    force: Links,
    couplings: Couplings,
    step_size: Float[Array, ""],
    n_steps: Int[Array, ""],
    kicks: tuple[float, ...],
    drifts: tuple[float, ...],
) -> tuple[Links, Links, Links]:
    """n_steps steps with the `force` of these couplings: links, momenta and force at the end.

    A step is a kick, a drift, ..., a drift, a kick, with these coefficients. `force` is the force
    at the start.
    """
    _check_alike(links, momenta, force)
    field = jax.ShapeDtypeStruct(links.shape, links.dtype)
    numbers = (
        _numbers(couplings),
        jnp.asarray(step_size, jnp.float64),
        jnp.asarray(n_steps, jnp.int32),
    )
    coefficients = {"kicks": np.asarray(kicks), "drifts": np.asarray(drifts)}
    return _call("trajectory", (field,) * 3, links, momenta, force, *numbers, **coefficients)


def _numbers(couplings: Couplings) -> Float[Array, "loops"]:
    return jnp.stack(couplings).astype(jnp.float64)


def _check_alike(links: Links, *fields: Array) -> None:
    """Raise ValueError where C++ would read numbers that are not there."""
    for field in fields:
        if (field.shape, field.dtype) != (links.shape, links.dtype):
            raise ValueError(
                f"field of shape {list(field.shape)} and type {field.dtype}: must be like the"
                f" links, of shape {list(links.shape)} and type {links.dtype}"
            )


def _call(handler: str, result: Any, links: Links, *more: Array, **attributes: Any) -> Any:
    call = jax.ffi.ffi_call(targets()[handler], result, vmap_method="broadcast_all")
    return call(links, *more, dimensions=links.ndim - 3, **attributes)
