"""Devices that share chains, lattices and batches, of one process or of several.

This is the one file that knows of meshes. Each row of a mesh has an equal part of the chains, and
chains run where their states are. Rows send each other nothing. The devices of a row have equal
parts of each lattice, which is cut along direction 0. Programs are written for whole lattices. XLA
divides them, and sends what crosses a cut.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int, PyTree, Shaped

Tree = TypeVar("Tree")

_CHAINS, _CUT = "chain", "lattice"
"""The axes of a mesh. One whose lattices are whole has the first alone."""

SAME_BITS = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}
"""Options of XLA, whose library YNN is left products of matrices alone. XLA would give it large
sums, but no small ones, and YNN adds up in another order: a chain's numbers would depend on how
many chains a device has."""


def mesh_for(devices: Sequence[Any], parts: int = 1) -> Mesh | None:
    """The mesh of these devices, with each lattice in so many parts; None for a single device.

    Raises:
        ValueError: they make no rows of so many.
    """
    if len(devices) % parts:
        raise ValueError(f"parts {parts}: do not divide {len(devices)} devices")
    if len(devices) == 1:
        return None
    if parts == 1:
        return Mesh(np.asarray(devices), (_CHAINS,))
    return Mesh(np.asarray(devices).reshape(-1, parts), (_CHAINS, _CUT))


def mesh_of(states: PyTree) -> Mesh | None:
    """The mesh that the states are spread over; None where one device has all of them."""
    sharding = jax.tree.leaves(states)[0].sharding
    ours = isinstance(sharding, NamedSharding) and sharding.mesh.axis_names[:1] == (_CHAINS,)
    return sharding.mesh if ours else None  # pyright: ignore[reportReturnType]


def cutting(mesh: Mesh | None) -> Mesh | None:
    """The mesh, if it cuts lattices; None otherwise."""
    return mesh if mesh is not None and _CUT in mesh.axis_names else None


def in_parts() -> bool:
    """Whether the program that is being traced is one of lattices that are cut."""
    return _CUT in jax.sharding.get_abstract_mesh().axis_names


def _cut(leaf: Array, chains: str | None = None) -> PartitionSpec:
    """How an array of chains is cut. One of more than two axes is [chain, direction, n_0, ...]."""
    return PartitionSpec(chains, *((None, _CUT) if leaf.ndim > 2 else ()))


def spread(states: Tree, mesh: Mesh | None) -> Tree:
    """The states with an equal part of the chains on each row; without a mesh, as they are.

    Every process has all states at first, and each keeps the part of its own devices.

    Args:
        states: arrays whose leading axis is that of the chains.
        mesh: where the chains shall run.

    Raises:
        ValueError: chains or lattices cannot be divided equally.
    """
    if mesh is None:
        return states
    check_divides(mesh, *jax.tree.leaves(states)[0].shape)

    def put(leaf: Array) -> Array:
        place = _cut(leaf, _CHAINS) if cutting(mesh) else PartitionSpec(_CHAINS)
        return jax.device_put(leaf, NamedSharding(mesh, place))

    return jax.tree.map(put, states)


def check_divides(mesh: Mesh, chains: int, *field: int) -> None:
    """Raise ValueError unless a mesh can share chains and lattices, of this shape, equally."""
    rows, parts = mesh.shape[_CHAINS], mesh.shape.get(_CUT, 1)
    if chains % rows:
        sharing = f"{rows} devices" if parts == 1 else f"{rows} rows of {parts} devices"
        raise ValueError(f"chains {chains}: {sharing} cannot share them equally")
    if parts > 1 and (len(field) < 2 or field[1] % parts):
        extent = f"extent {field[1]} of direction 0" if len(field) > 1 else "a vector"
        raise ValueError(f"parts {parts}: {extent} cannot be cut in so many equal parts")


def on_each(mesh: Mesh | None, part: Callable[..., tuple[PyTree, PyTree]]) -> Callable[..., Any]:
    """A function of arrays of chains, which each row calls for its own part of them.

    So a compiled kernel gets a call of its own on each device. The function returns states, and
    more.
    """
    if mesh is None:
        return part

    def divided(*arguments: PyTree) -> tuple[PyTree, PyTree]:
        states, more = part(*arguments)
        pinned = lambda leaf: jax.lax.with_sharding_constraint(leaf, _cut(leaf))  # noqa: E731
        return jax.tree.map(pinned, states), more

    return jax.shard_map(
        divided if cutting(mesh) else part,
        mesh=mesh,
        in_specs=PartitionSpec(_CHAINS),
        out_specs=PartitionSpec(_CHAINS),
        axis_names={_CHAINS},
        check_vma=False,
    )


def averaged(
    mesh: Mesh, part: Callable[[Int[Array, ""], Any, Any], tuple[Any, Any]]
) -> Callable[[Any, Any], tuple[Any, Any]]:
    """A function that each device of a mesh without cuts calls for its part of a batch.

    Args:
        mesh: its devices share the batch.
        part: of the number of a device, of what all devices have, and of arrays of the device's
            members of the batch. Returns numbers, and arrays of these members.

    Returns:
        The function of what all have, and of arrays of all members. The numbers are means over the
        devices.
    """

    def divided(of_all: Any, members: Any) -> tuple[Any, Any]:
        numbers, members = part(jax.lax.axis_index(_CHAINS), of_all, members)
        return jax.lax.pmean(numbers, _CHAINS), members

    whole, own = PartitionSpec(), PartitionSpec(_CHAINS)
    specs = (whole, own)
    return jax.shard_map(divided, mesh=mesh, in_specs=specs, out_specs=specs, check_vma=False)


def gathered(tree: PyTree) -> PyTree:
    """The tree, with arrays of NumPy for those that are spread over processes; all get them.

    They are of chains, and are sent together: to send each by itself would take as many times as
    long as there are arrays.
    """
    leaves, structure = jax.tree.flatten(tree)
    found = [np.asarray(leaf) if _is_everywhere(leaf) else leaf for leaf in leaves]
    away = [i for i, leaf in enumerate(found) if _is_away(leaf)]
    if away:
        apart: list[Any] = [found[i] for i in away]
        sent = np.asarray(_as_bytes(apart, apart[0].sharding.mesh))
        ends = np.cumsum([leaf.dtype.itemsize * (leaf.size // len(leaf)) for leaf in apart])
        for i, part in zip(away, np.split(sent, ends[:-1], axis=1), strict=True):
            found[i] = np.ascontiguousarray(part).view(found[i].dtype).reshape(found[i].shape)
    return jax.tree.unflatten(structure, found)


def _is_away(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and not leaf.is_fully_addressable


def _is_everywhere(leaf: Any) -> bool:
    return _is_away(leaf) and leaf.is_fully_replicated


@functools.partial(jax.jit, static_argnames="mesh")
def _as_bytes(arrays: list[Array], mesh: Mesh) -> Shaped[Array, "chain byte"]:
    """Arrays of chains side by side, with a copy on each device."""

    def row(array: Array) -> Array:
        if jnp.iscomplexobj(array):
            array = jnp.stack([array.real, array.imag], axis=-1)
        if array.dtype == bool:
            array = array.astype(jnp.uint8)
        return jax.lax.bitcast_convert_type(array, jnp.uint8).reshape(len(array), -1)

    whole = NamedSharding(mesh, PartitionSpec())
    return jax.lax.with_sharding_constraint(jnp.concatenate([*map(row, arrays)], axis=1), whole)


def here(tree: Tree) -> Tree:
    """The tree, with arrays of one device for those of several; every process has all of them."""

    def own(leaf: Any, whole: Any) -> Any:
        several = isinstance(leaf, jax.Array) and len(leaf.sharding.device_set) > 1
        return jnp.asarray(np.asarray(whole)) if several else leaf

    return jax.tree.map(own, tree, gathered(tree))
