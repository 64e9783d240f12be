"""The even or the odd sites of a lattice, as a field of half the extent in its first direction."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from gaugemc.arrays import Field
from gaugemc.kernels import apart, together


def of_parity(field: Field, lattice: tuple[int, ...], parity: Int[Array, ""] | int) -> Field:
    """The field at the sites with sum_mu n_mu = parity modulo 2.

    Of each pair of sites (2 k, ...) and (2 k + 1, ...) it keeps one: a selection, which is faster
    than an index of sites. All extents must be even.
    """
    even, odd = apart(field, 0, 2)
    return jnp.where(_second(field, lattice, parity), odd, even)


def with_parity(
    field: Field, lattice: tuple[int, ...], parity: Int[Array, ""] | int, part: Field
) -> Field:
    """The field with other values at these sites, `part`, as `of_parity` gives them."""
    even, odd = apart(field, 0, 2)
    second = _second(field, lattice, parity)
    return together([jnp.where(second, even, part), jnp.where(second, part, odd)], 0)


def _second(
    field: Field, lattice: tuple[int, ...], parity: Int[Array, ""] | int
) -> Bool[Array, "..."]:
    """Whether it is the second site of each pair."""
    others = np.sum(np.indices((1, *lattice[1:])), axis=0)
    others = others.reshape(*others.shape, *[1] * (field.ndim - len(lattice)))
    return (jnp.asarray(others) + parity) % 2 == 1
