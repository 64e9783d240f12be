"""Devices that share chains, of one process or of several: the one file that knows of meshes.

Chains run where their states are. Each device has an equal part of the chains, and chains do not
talk to each other, so nothing is sent while they run.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

_CHAINS = PartitionSpec("chain")

SAME_BITS = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}
"""Options of XLA, whose library YNN is left products of matrices alone. XLA would give it large
sums, but no small ones, and YNN adds up in another order: a chain's numbers would depend on how
many chains a device has."""


def spread(states: PyTree, devices: Sequence[Any]) -> PyTree:
    """The states with an equal part of the chains on each device; on one device, as they are.

    Every process has all states at first, and each keeps the part of its own devices.

    Args:
        states: arrays whose leading axis is that of the chains.
        devices: as many as divide the number of chains.

    Raises:
        ValueError: they cannot share the chains equally.
    """
    if len(devices) == 1:
        return states
    chains = len(jax.tree.leaves(states)[0])
    if chains % len(devices):
        raise ValueError(f"chains {chains}: {len(devices)} devices cannot share them equally")
    place = NamedSharding(Mesh(np.asarray(devices), ("chain",)), _CHAINS)
    return jax.tree.map(lambda a: jax.device_put(a, place), states)


def mesh_of(states: PyTree) -> Mesh | None:
    """The devices that share the states; None where one device has all of them."""
    sharding = jax.tree.leaves(states)[0].sharding
    ours = isinstance(sharding, NamedSharding) and sharding.spec == _CHAINS
    return sharding.mesh if ours else None  # pyright: ignore[reportReturnType]


def on_each(mesh: Mesh | None, part: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays of chains, which each device calls for its own part of them.

    So a compiled kernel gets a call of its own on each device.
    """
    if mesh is None:
        return part
    return jax.shard_map(part, mesh=mesh, in_specs=_CHAINS, out_specs=_CHAINS, check_vma=False)


def gathered(tree: PyTree) -> PyTree:
    """The tree, with arrays of NumPy for those that are spread over processes; all get them."""

    def whole(leaf: Any) -> Any:
        if not isinstance(leaf, jax.Array) or leaf.is_fully_addressable:
            return leaf
        from jax.experimental.multihost_utils import process_allgather

        return process_allgather(leaf, tiled=True)

    return jax.tree.map(whole, tree)
