"""The compiled kernels as functions of one configuration.

Under `jax.vmap` all chains arrive in one call. Links have shape (d, L_0, ..., L_{d-1}, N, N), or
(d, L_0, ..., L_{d-1}) where they are the angles of U(1).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Complex, Float, Int, Key

from gaugemc.kernels.native.library import HANDLERS, targets
from gaugemc.mesh import in_parts

Matrices = Complex[Array, "d ... N N"]
Links = Matrices | Float[Array, "d ..."]
Couplings = tuple[Float[Array, ""], ...]
Coefficients = Float[Array, "layer plane"]

_ANGLES = frozenset(("force", "trajectory", "spline"))
_MATRICES = frozenset(h for h in HANDLERS if not h.startswith("u1_") and h != "spline")
_TYPES = {1: (np.float32, np.float64)} | dict.fromkeys((2, 3), (np.complex64, np.complex128))


def kernels(n: int, dtype: DTypeLike) -> frozenset[str]:
    """The names of the compiled kernels for links of this type, on the default device.

    The links are of SU(n), or of U(1) where n is 1. The first question builds the kernels, which
    takes seconds. There are none for a lattice that is cut: a kernel sees no neighbours across.
    """
    if in_parts():
        return frozenset()
    known = np.dtype(dtype) in _TYPES.get(n, ())
    wide = jnp.result_type(float) == jnp.float64  # couplings and sums
    if not (known and wide and jax.default_backend() == "cpu" and targets()):
        return frozenset()
    return _ANGLES if n == 1 else _MATRICES


def twinned(kernel: Callable[..., Any], twin: Callable[..., Any]) -> Callable[..., Any]:
    """A compiled kernel with the derivatives of its twin. Where they are taken, the twin runs."""
    run = eqx.filter_custom_jvp(kernel)

    def derivatives(primals: Any, tangents: Any) -> Any:
        return jax.tree.map(_chains_first, eqx.filter_jvp(twin, primals, tangents))

    run.def_jvp(derivatives)
    return run


def _chains_first(result: Any) -> Any:
    """A result of the twin whose axis of chains comes first under `jax.vmap`, as a kernel's does.

    JAX takes the place of the axis from the kernel also where the twin runs.
    """
    return result.ravel().reshape(result.shape) if eqx.is_array(result) else result


def force(links: Links, couplings: Couplings) -> Links:
    """The left derivative of -(1 / N) sum_i b_i sum Re tr of loops; algebra elements of links.

    The couplings are b_0 of plaquettes, and b_1 of 1 x 2 rectangles if there are any. In U(1) there
    are no rectangles; couplings (b, u, w_1, ..., w_K) are those of an action of plaquettes x,

        sum_P [b (1 - cos x_P) + sum_k w_k (1 - cos(k x_P)) / k] + u sum_PP' sin x_P sin x_P',

    whose second sum runs over plaquettes of a plane that share a link.
    """
    result = jax.ShapeDtypeStruct(links.shape, links.dtype)
    return _call("force", result, links, _numbers(couplings))


def staples(links: Matrices, couplings: Couplings) -> Matrices:
    """A such that -Re tr(U A) / N is the part of this action that each link U is in."""
    result = jax.ShapeDtypeStruct(links.shape, links.dtype)
    return _call("staples", result, links, _numbers(couplings))


def plaquette_sum(links: Matrices) -> Float[Array, ""]:
    """The sum of Re tr P / N over all plaquettes, in float64."""
    return _call("plaquette_sum", jax.ShapeDtypeStruct((), jnp.float64), links)


def rectangle_sum(links: Matrices) -> Float[Array, ""]:
    """The sum of Re tr R / N over all 1 x 2 and 2 x 1 rectangles, in float64."""
    return _call("rectangle_sum", jax.ShapeDtypeStruct((), jnp.float64), links)


def field_strength_products(links: Matrices) -> Float[Array, "plane plane"]:
    """The sums of -tr F F' over all sites, with the clover's F of each plane, in float64."""
    n = math.comb(links.ndim - 3, 2)
    return _call("field_strength_products", jax.ShapeDtypeStruct((n, n), jnp.float64), links)


def move(links: Matrices, momenta: Matrices, dt: Float[Array, ""]) -> Matrices:
    """exp(dt v) u for each link u and its momentum v."""
    _check_alike(links, momenta)
    result = jax.ShapeDtypeStruct(links.shape, links.dtype)
    return _call("move", result, links, momenta, jnp.asarray(dt, jnp.float64))


def trajectory(
    links: Links,
    momenta: Links,
    force: Links,
    couplings: Float[Array, "drift number"],
    kicks: Float[Array, " kick"],
    drifts: Float[Array, " drift"],
    step_size: Float[Array, ""],
    n_steps: Int[Array, ""],
) -> tuple[Links, Links, Links]:
    """n_steps steps: links, momenta and force at the end.

    A step is a kick, a drift, ..., a drift, a kick, of these lengths in units of the step size: one
    kick more than drifts. The force of the first kick is given; each other kick follows the `force`
    with the couplings of the drift before the kick.
    """
    _check_alike(links, momenta, force)
    field = jax.ShapeDtypeStruct(links.shape, links.dtype)
    numbers = (
        *(jnp.asarray(a, jnp.float64) for a in (couplings, kicks, drifts, step_size)),
        jnp.asarray(n_steps, jnp.int32),
    )
    return _call("trajectory", (field,) * 3, links, momenta, force, *numbers)


def stages(
    links: Links,
    momenta: Links,
    force: Links,
    couplings: Float[Array, "drift number"],
    kicks: Float[Array, " kick"],
    drifts: Float[Array, " drift"],
) -> tuple[Links, Links, Links]:
    """`trajectory` of one step of size 1, with a compiled reverse pass for links of matrices.

    The reverse pass runs the trajectory backwards, so that nothing is stored. Derivatives of the
    force are central differences: gradients have errors of 1e-10, of 1e-4 in float32. There are no
    forward derivatives.
    """
    numbers = (jnp.asarray(a, jnp.float64) for a in (couplings, kicks, drifts))
    return _stages(links, momenta, force, *numbers)


@jax.custom_vjp
def _stages(
    links: Links,
    momenta: Links,
    force: Links,
    couplings: Array,
    kicks: Array,
    drifts: Array,
) -> tuple[Links, Links, Links]:
    one_step = jnp.ones(()), jnp.ones((), jnp.int32)
    return trajectory(links, momenta, force, couplings, kicks, drifts, *one_step)


def _stages_and_end(*arguments: Array) -> tuple[Any, Any]:
    end = _stages(*arguments)
    return end, (*end[:2], *arguments[2:])


def _pull_of_stages(kept: tuple[Array, ...], by_end: tuple[Array, ...]) -> tuple[Array, ...]:
    links, *_, couplings, kicks, drifts = kept
    field = jax.ShapeDtypeStruct(links.shape, links.dtype)
    numbers = (jax.ShapeDtypeStruct(a.shape, jnp.float64) for a in (couplings, kicks, drifts))
    by_start = _call("trajectory_pull", ((field,) * 3 + tuple(numbers)), *kept, *by_end)
    return tuple(by_start)


_stages.defvjp(_stages_and_end, _pull_of_stages)


def flow(
    links: Matrices,
    couplings: Couplings,
    size: Float[Array, ""],
    n_steps: Int[Array, ""],
    stages: Sequence[tuple[float, float]],
) -> Matrices:
    """n_steps steps of the gradient flow, of this size in flow time.

    A stage (a, b) makes z -> a F + b z, with the `force` F of these couplings, and moves the links
    by -size z. z begins as 0.
    """
    a, b = np.asarray(stages).T
    numbers = jnp.asarray(size, jnp.float64), jnp.asarray(n_steps, jnp.int32)
    result = jax.ShapeDtypeStruct(links.shape, links.dtype)
    return _call("flow", result, links, _numbers(couplings), *numbers, a=a, b=b)


def knows_generator(key: Key[Array, "..."]) -> bool:
    """Whether compiled kernels make the same numbers from a key as `jax.random` does."""
    threefry = jax.random.key_impl(key) == "threefry2x32"
    return threefry and bool(jax.config.jax_threefry_partitionable)  # pyright: ignore[reportAttributeAccessIssue]


def local_updates(
    links: Links,
    couplings: Couplings,
    keys: Key[Array, " colours"],
    sites: Sequence[Int[np.ndarray, "_ _"]],
    overrelaxation: int,
) -> Links:
    """A heatbath sweep, sweeps of overrelaxation, and a projection on the group.

    `sites` are those of each colour of each direction. `keys` has a key for each colour, the
    directions in turn.
    """
    volume = int(np.prod(links.shape[1:-2]))
    if {colours.size for colours in sites} != {volume}:
        raise ValueError(f"links on {volume} sites, colours of {sites[0].size}: must be as many")
    numbers = (
        _numbers(couplings),
        jax.random.key_data(keys),
        jnp.asarray(np.stack([colours.ravel() for colours in sites]), jnp.int32),
    )
    colours = {"colours": np.asarray([len(colours) for colours in sites])}
    result = jax.ShapeDtypeStruct(links.shape, links.dtype)
    return _call("local_updates", result, links, *numbers, overrelaxation=overrelaxation, **colours)


def stout(links: Matrices, rho: Coefficients) -> tuple[Matrices, Float[Array, ""]]:
    """A sweep of the stout flow: the links at its end, and log |det| in float64.

    Args:
        rho: coefficients of each layer, two for each direction, and of each plane of the direction.
    """
    result = (jax.ShapeDtypeStruct(links.shape, links.dtype), jax.ShapeDtypeStruct((), jnp.float64))
    return tuple(_call("stout", result, links, _checked(links, rho)))


def stout_pull(start: Matrices, end: Matrices, force: Matrices, rho: Coefficients) -> Matrices:
    """The force of S - log |det| at the start of a sweep, from the force of S at its end."""
    _check_alike(start, end, force)
    result = jax.ShapeDtypeStruct(start.shape, start.dtype)
    return _call("stout_pull", result, start, end, force, _checked(start, rho))


def _checked(links: Matrices, rho: Coefficients) -> Coefficients:
    """The coefficients in float64; ValueError unless there are as many as links of these need."""
    d = links.ndim - 3
    if rho.shape != (2 * d, d - 1):
        raise ValueError(f"coefficients of shape {list(rho.shape)}: must be {[2 * d, d - 1]}")
    return rho.astype(jnp.float64)


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
    name, group_axes = (handler, 2) if jnp.iscomplexobj(links) else (f"u1_{handler}", 0)
    call = jax.ffi.ffi_call(targets()[name], result, vmap_method="broadcast_all")
    return call(links, *more, dimensions=links.ndim - 1 - group_axes, **attributes)
