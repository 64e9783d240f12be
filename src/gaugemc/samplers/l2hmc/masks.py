"""Which components the position updates of the generalised leapfrog leave frozen."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key

from gaugemc.spaces import Links, Space

Masks = Bool[Array, "layer ..."]


def half_masks(key: Key[Array, ""], space: Space, n_layers: int) -> Masks:
    """A random half of the components, another half in each layer (1711.09268)."""
    size = int(np.prod(space.field_shape))
    half = jnp.arange(size) < size // 2
    masks = jax.vmap(jax.random.permutation, (0, None))(jax.random.split(key, n_layers), half)
    return masks.reshape(n_layers, *space.field_shape)


def line_masks(space: Links, n_layers: int) -> Masks:
    """All links on every second line of each direction; the other lines in the next layer.

    On even lattices the frozen links form 2 x 2 (in general, 2^d) cells: small loops that a network
    may read while the other links move.
    """
    sites = np.indices(space.lattice)
    transverse = [sum(np.delete(sites, mu, axis=0)) for mu in range(len(space.lattice))]
    parity = np.stack(transverse) % 2
    masks = np.stack([parity == layer % 2 for layer in range(n_layers)])
    return jnp.asarray(space.group.expanded(masks))


def subset_masks(space: Links, n_layers: int) -> Int[Array, "layer ..."]:
    """The links of one direction at the sites of one parity in turn; in reverse in the next layer.

    A plaquette has one link of a subset, so that a link moves while the ways beside it are frozen.
    """
    directions = np.indices(space.shape)[0]
    subsets = 2 * directions + np.sum(np.indices(space.lattice), axis=0) % 2
    last = 2 * len(space.lattice) - 1
    masks = np.stack([last - subsets if layer % 2 else subsets for layer in range(n_layers)])
    return jnp.asarray(space.group.expanded(masks.astype(np.int8)))
