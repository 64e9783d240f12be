"""The sites whose links of one direction move together, as a field of a part of the lattice.

The colour of a site is (period / 2) n_mu + sum_nu n_nu modulo the period, 2 or 4, where mu is the
direction of the links and nu are all others. Period 2 is the parity, and no plaquette joins two
links of one colour. With period 4 no 1 x 2 rectangle does. All extents must be multiples of the
period.
"""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from gaugemc.arrays import Field
from gaugemc.kernels import apart, together

Colour = Int[Array, ""] | int


def colours(lattice: tuple[int, ...], mu: int, period: int) -> Int[np.ndarray, "..."]:
    """The colour of every site."""
    weights = [period // 2 if nu == mu else 1 for nu in range(len(lattice))]
    return np.tensordot(weights, np.indices(lattice), 1) % period


def of_colour(
    field: Field, lattice: tuple[int, ...], mu: int, period: int, colour: Colour
) -> Field:
    """The field at the sites of a colour.

    Of `period` sites in a row, across mu, it keeps one: a selection, which is faster than an index
    of sites.
    """
    axis, place = _place(field, lattice, mu, period, colour)
    parts = apart(field, axis, period)
    return functools.reduce(
        lambda kept, k: jnp.where(place == k, parts[k], kept), range(1, period), parts[0]
    )


def with_colour(
    field: Field, lattice: tuple[int, ...], mu: int, period: int, colour: Colour, part: Field
) -> Field:
    """The field with other values at these sites, `part`, as `of_colour` gives them."""
    axis, place = _place(field, lattice, mu, period, colour)
    parts = enumerate(apart(field, axis, period))
    return together([jnp.where(place == k, part, old) for k, old in parts], axis)


def _place(
    field: Field, lattice: tuple[int, ...], mu: int, period: int, colour: Colour
) -> tuple[int, Int[Array, "..."]]:
    """An axis across mu, and which site of each `period` sites along this axis has the colour."""
    axis = 0 if mu else 1
    first = np.take(colours(lattice, mu, period), range(0, lattice[axis], period), axis)
    first = first.reshape(*first.shape, *[1] * (field.ndim - len(lattice)))
    return axis, (colour - jnp.asarray(first)) % period
