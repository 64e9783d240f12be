"""Staples: what closes a link to plaquettes, to 1 x 2 rectangles and to chairs.

Links have shape (d, L_0, ..., L_{d-1}, *link_shape). A staple A leads from n + e_mu back to n, so
that trace(U_mu(n) A(n)) is a loop through the link. Forces and local updates read the same staples.
"""

import functools
import itertools
from collections.abc import Sequence

import jax.numpy as jnp

from gaugemc.arrays import Field, Scalar
from gaugemc.groups import Group
from gaugemc.lattice.shift import shift


def plaquette_staples(group: Group, links: Sequence[Field] | Field, mu: int) -> list[Field]:
    """The 2 (d - 1) fields A such that trace(U_mu A) are the plaquettes through the links U_mu."""
    return [
        group.adjoint(side(group, links, mu, nu, sign))
        for nu in range(len(links))
        if nu != mu
        for sign in (1, -1)
    ]


def rectangle_staples(group: Group, links: Sequence[Field] | Field, mu: int) -> list[Field]:
    """The 6 (d - 1) fields A such that trace(U_mu A) are the 1 x 2 rectangles through U_mu.

    A rectangle is a plaquette, one of whose three other links makes a detour around the next
    plaquette. Where an extent is 2, a rectangle may hold a link twice, and counts for each.
    """
    result: list[Field] = []
    for nu in range(len(links)):
        if nu == mu:
            continue
        left, right = (side(group, links, nu, mu, sign) for sign in (-1, 1))
        for sign in (1, -1):
            far = side(group, links, mu, nu, sign)
            detours = (left, links[mu], links[nu]), (links[nu], far, links[nu])
            for path in (*detours, (links[nu], links[mu], right)):
                result.append(group.adjoint(_around(group, *path, mu, nu, sign)))
    return result


def chair_staples(group: Group, links: Sequence[Field] | Field, mu: int) -> list[Field]:
    """The 8 (d - 1) (d - 2) fields A such that trace(U_mu A) are the chairs with a leg U_mu.

    A chair is a plaquette with U_mu, whose link on the one or the other side of U_mu makes a detour
    around a plaquette in the third direction. Chairs whose fold is parallel to U_mu are left out:
    each of those holds links of direction mu on sites that differ by a diagonal.
    """
    result: list[Field] = []
    for nu, rho in itertools.permutations([nu for nu in range(len(links)) if nu != mu], 2):
        detours = [side(group, links, nu, rho, sign) for sign in (1, -1)]
        for sign, detour in itertools.product((1, -1), detours):
            for path in ((detour, links[mu], links[nu]), (links[nu], links[mu], detour)):
                result.append(group.adjoint(_around(group, *path, mu, nu, sign)))
    return result


def staple_sum(
    group: Group, links: Sequence[Field] | Field, mu: int, couplings: Sequence[Scalar]
) -> Field:
    """The sum of all staples of the links U_mu, with the couplings of their loops."""
    kinds = plaquette_staples, rectangle_staples
    sums = [
        group.sum_staples(kind(group, links, mu), coupling.astype(links[mu].real.dtype))
        for kind, coupling in zip(kinds, couplings)
    ]
    return functools.reduce(jnp.add, sums)


def side(group: Group, links: Sequence[Field] | Field, mu: int, nu: int, sign: int) -> Field:
    """The way from n to n + e_mu by three links, along sign * e_nu and back."""
    return _around(group, links[nu], links[mu], links[nu], mu, nu, sign)


def _around(
    group: Group, near: Field, far: Field, back: Field, mu: int, nu: int, sign: int
) -> Field:
    """From n to n + e_mu: along sign * e_nu by `near`, `far` along mu, and returned by `back`."""
    back = shift(back, mu)
    if sign > 0:
        return group.multiply(group.multiply(near, shift(far, nu)), group.adjoint(back))
    return shift(group.multiply(group.multiply(group.adjoint(near), far), back), nu, -1)
