"""Coefficients of the loops through a link, of which there are several kinds in each plane.

Kinds, in this order: plaquettes; rectangles that are two links long in the direction of the link;
rectangles one link long in this direction; chairs, in three and more dimensions. The plane of a
chair is the plane of its plaquette with the link.
"""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.lattice import chair_staples, plaquette_staples, rectangle_staples

Coefficients = Float[Array, "... kind plane"]


def numbers(dimensions: int, rectangles: bool) -> list[int]:
    """How many loops of each kind a link has in each plane."""
    chairs = [8 * (dimensions - 2)] if dimensions > 2 else []
    return [2, 4, 2, *chairs] if rectangles else [2]


def staples_of_kinds(
    group: Group, links: Field, mu: int, rectangles: bool
) -> list[list[list[Field]]]:
    """The staples of each kind in each plane."""
    planes = len(links) - 1

    def by_plane(staples: list[Field]) -> list[list[Field]]:
        each = len(staples) // planes
        return [staples[each * plane : each * (plane + 1)] for plane in range(planes)]

    kinds = [by_plane(plaquette_staples(group, links, mu))]
    if rectangles:
        both = by_plane(rectangle_staples(group, links, mu))
        across = [staples[1::3] for staples in both]  # of (left, across, right), on both sides
        kinds += [[staples[::3] + staples[2::3] for staples in both], across]
    if rectangles and planes > 1:
        kinds.append(by_plane(chair_staples(group, links, mu)))
    return kinds


def bounded(weights: Coefficients, contraction: float) -> Coefficients:
    """Coefficients rho with sum_k |rho_k| < contraction over all loops of a link.

    rho = c w / sum_k sqrt(w_k^2 + (c / n)^2) over the n loops, which is near w where w is small.
    It is smooth, and reaches all coefficients within the bound.
    """
    *_, kinds, planes = weights.shape
    n = jnp.asarray(numbers(planes + 1, kinds > 1), weights.dtype)[:, None]
    floor = contraction / (planes * sum(numbers(planes + 1, kinds > 1)))
    sizes = jnp.sum(n * jnp.sqrt(weights**2 + floor**2), axis=(-2, -1), keepdims=True)
    return contraction * weights / sizes


def weight_of_plaquettes(rho: float, planes: int, rectangles: bool, contraction: float) -> float:
    """The weight that gives all plaquettes the coefficient rho, where all other weights vanish."""
    own = 2 * planes
    others = planes * sum(numbers(planes + 1, rectangles)) - own
    root = math.sqrt(contraction**2 + rho**2 * (others**2 - own**2))
    floor = contraction / (own + others)
    return rho * floor * (contraction * others + own * root) / (contraction**2 - (own * rho) ** 2)
