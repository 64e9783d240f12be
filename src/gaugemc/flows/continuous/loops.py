"""Loops: sums over the lattice of products of traces of plaquettes, with their Laplacians."""

import functools
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gaugemc.arrays import Field, Scalar
from gaugemc.flows.continuous.words import Term, Word, is_pair, laplacian, swapped, terms
from gaugemc.groups import SUN
from gaugemc.lattice import plane_plaquettes, shift
from gaugemc.spaces import total


class Family(NamedTuple):
    """Loops of plaquettes alone or of pairs: a loop and its Laplacian are linear in the terms."""

    terms: tuple[Term, ...]
    loops: Float[np.ndarray, "loop term"]
    laplacians: Float[np.ndarray, "loop term"]


@functools.cache
def families(degree: int, n: int) -> tuple[Family, Family]:
    """The loops of SU(n) of plaquettes alone and those of pairs of neighbours, up to a degree.

    The degree is the number of plaquettes in a term. Up to degree 1, 2 and 3 there are 1, 4 and 9
    loops of plaquettes alone, and none, 4 and 15 of pairs.
    """
    alone, pairs = (
        _family([t for t in terms(degree) if is_pair(t) == pair], n) for pair in (False, True)
    )
    return alone, pairs


def _family(chosen: Sequence[Term], n: int) -> Family:
    # Every pair has two orders.
    loops = [Counter({t: 1.0, swapped(t): 1.0} if is_pair(t) else {t: 1.0}) for t in chosen]
    laplacians = [Counter[Term]() for _ in loops]
    for row, laplacian_of_loop in zip(loops, laplacians):
        for t in row:
            laplacian_of_loop.update(laplacian(t, n))
    columns = tuple(dict.fromkeys(t for row in (*loops, *laplacians) for t in row))
    shape = len(chosen), len(columns)
    matrices = (
        np.reshape([[row[t] for t in columns] for row in m], shape) for m in (loops, laplacians)
    )
    return Family(columns, *matrices)


def potential(
    group: SUN, links: Field, degree: int, coefficients: Float[Array, " loop"]
) -> tuple[Scalar, Scalar]:
    """The sum of all loops times their coefficients, and its Laplacian, in float64.

    Args:
        links: shape (2, L_0, L_1, N, N), both extents 3 or more.
        coefficients: of plaquettes alone, then of pairs.
    """
    p = plane_plaquettes(group, links, 0, 1)
    right, above = (group.transport(group.adjoint(links[mu]), shift(p, mu)) for mu in range(2))
    fields = {0: p}, {0: jnp.stack([p, above]), 2: jnp.stack([right, p])}
    value = divergence = jnp.zeros((), jnp.float64)
    for letters, family in zip(fields, families(degree, group.n)):
        own, coefficients = jnp.split(coefficients, [len(family.loops)])
        sums = _sums(group, letters, family.terms)
        value = value + own @ family.loops @ sums
        divergence = divergence + own @ family.laplacians @ sums
    return value, divergence


def _sums(group: SUN, letters: dict[int, Field], of: Sequence[Term]) -> Float[Array, " term"]:
    """The sum of each term over all axes of the letters."""
    letters = letters | {name ^ 1: group.adjoint(matrix) for name, matrix in letters.items()}

    @functools.cache
    def product(word: Word) -> Field:
        *first, last = word
        return group.multiply(product(tuple(first)), letters[last]) if first else letters[last]

    @functools.cache
    def trace(word: Word) -> Field:
        if len(word) == 1:
            return jnp.trace(letters[word[0]], axis1=-2, axis2=-1) / group.n
        last = jnp.swapaxes(letters[word[-1]], -1, -2)
        return jnp.sum(product(word[:-1]) * last, axis=(-2, -1)) / group.n

    one = jnp.ones(letters[0].shape[:-2], letters[0].dtype)
    values = [functools.reduce(jnp.multiply, map(trace, t), one).real for t in of]
    return jnp.stack([total(value) for value in values]) if values else jnp.zeros(0, jnp.float64)
