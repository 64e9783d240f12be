"""Subsets of links that share no loop, so that they can be updated at once."""

import numpy as np
from jaxtyping import Int

MOST_COLOURS = 12


def colour_sites(
    lattice: tuple[int, ...], mu: int, rectangles: bool
) -> Int[np.ndarray, "colour site"]:
    """Flat indices of the sites of each colour: links of direction mu of one colour share no loop.

    The colour of a site is sum_i k_i n_i modulo m, with the smallest possible m. Plaquettes join
    the links at n and n + e_nu: 2 colours where extents are even. 1 x 2 rectangles also join the
    links at n and n + e_mu, n + e_mu +- e_nu, n + 2 e_nu: 4 colours, 2 n_mu + sum_nu n_nu, where
    extents are multiples of 4. Fewer are impossible: the four links at n, n + e_mu, n + e_nu and
    n + e_mu + e_nu all share rectangles.

    Raises:
        ValueError: no such colouring has at most 12 colours.
    """
    for m in range(2, MOST_COLOURS + 1):
        k = _coefficients(lattice, mu, rectangles, m)
        if k is not None:
            colour = np.tensordot(k, np.indices(lattice), 1).ravel() % m
            return np.stack([np.flatnonzero(colour == c) for c in range(m)])
    wanted = "multiples of 4" if rectangles else "even"
    raise ValueError(
        f"lattice {list(lattice)}: links that share no loop need more than {MOST_COLOURS} colours;"
        f" take extents that are {wanted}"
    )


def _coefficients(lattice: tuple[int, ...], mu: int, rectangles: bool, m: int) -> list[int] | None:
    """k_i such that no loop joins links of one colour, also around the torus; None without any."""
    around = [[k for k in range(1, m) if k * length % m == 0] for length in lattice]
    for along in around[mu] if rectangles else [0]:
        forbidden = {0, along, -along % m}
        fit = [
            [k for k in ks if k not in forbidden and (2 * k % m or not rectangles)] for ks in around
        ]
        fit[mu] = [along]
        if all(fit):
            return [ks[0] for ks in fit]
    return None
