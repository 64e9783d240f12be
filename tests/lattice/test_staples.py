"""Staples against the action, and subsets of links that share no loop."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.groups import SUN, U1
from gaugemc.lattice import colour_sites, plaquette_staples, rectangle_staples
from gaugemc.spaces import Links
from gaugemc.theories import Improved

Loop = list[tuple[int, tuple[int, ...]]]


@pytest.mark.parametrize("group", [U1(), SUN(2)], ids=lambda group: group.name)
@pytest.mark.parametrize(("lattice", "c1"), [((4, 2), 0), ((3, 4), 0.3), ((3, 4, 3), -0.2)])
def test_staples_give_the_change_of_the_action(
    group, lattice: tuple[int, ...], c1: float, key: jax.Array
):
    """Where a rectangle holds a link twice, the action is not linear in the link."""
    theory = Improved(Links(group, lattice), 1.3, c1=c1)
    keys = jax.random.split(key)
    x, other = theory.space.random(keys[0]), theory.space.random(keys[1])
    action = eqx.filter_jit(theory.action)
    site = tuple(length - 1 for length in lattice)
    for mu in range(len(lattice)):
        moved = x.at[(mu, *site)].set(other[(mu, *site)])

        def local(u: jax.Array, mu: int = mu) -> jax.Array:
            terms = [jnp.stack(s(group, x, mu)) for s in (plaquette_staples, rectangle_staples)]
            plaquette, rectangle = (group.trace(group.multiply(u, t)).sum(0)[site] for t in terms)
            return -1.3 * ((1 - 8 * c1) * plaquette + c1 * rectangle)

        change = action(moved) - action(x)
        local = jax.jit(local)
        np.testing.assert_allclose(local(moved[mu]) - local(x[mu]), change, atol=1e-11)


def loops(lattice: tuple[int, ...], sizes: list[tuple[int, int]]) -> list[Loop]:
    """All rectangles of some sizes, as lists of links."""
    result = []
    for site in itertools.product(*map(range, lattice)):
        for mu, nu in itertools.combinations(range(len(lattice)), 2):
            for r, t in sizes:
                here, loop = np.array(site), []
                for direction, steps in ((mu, r), (nu, t), (mu, -r), (nu, -t)):
                    for _ in range(abs(steps)):
                        there = here.copy()
                        there[direction] += np.sign(steps)
                        start = (here if steps > 0 else there) % lattice
                        loop.append((direction, tuple(start.tolist())))
                        here = there
                result.append(loop)
    return result


PLAQUETTES = [(1, 1)]
RECTANGLES = [(1, 1), (1, 2), (2, 1)]


@pytest.mark.parametrize(
    ("lattice", "sizes", "most"),
    [
        ((4, 6), PLAQUETTES, 2),
        ((2, 2, 4, 2), PLAQUETTES, 2),
        ((3, 5), PLAQUETTES, 5),
        ((4, 8), RECTANGLES, 4),
        ((4, 4, 4), RECTANGLES, 4),
        ((4, 4, 4, 4), RECTANGLES, 4),
        ((6, 4), RECTANGLES, 6),
        ((5, 10), RECTANGLES, 5),
    ],
    ids=str,
)
def test_links_of_one_colour_share_no_loop(lattice: tuple[int, ...], sizes, most: int):
    """And each link has one colour; the number of colours is the one stated."""
    colours: dict[tuple[int, tuple[int, ...]], int] = {}
    for mu in range(len(lattice)):
        subsets = colour_sites(lattice, mu, rectangles=sizes == RECTANGLES)
        assert len(subsets) <= most
        assert sorted(subsets.ravel()) == list(range(int(np.prod(lattice))))
        for colour, sites in enumerate(subsets):
            for site in zip(*np.unravel_index(sites, lattice)):
                colours[mu, tuple(map(int, site))] = colour
    for loop in loops(lattice, sizes):
        assert len(set(loop)) == len(loop)
        subsets = [(link[0], colours[link]) for link in loop]
        assert len(set(subsets)) == len(subsets), loop


@pytest.mark.parametrize(("lattice", "rectangles"), [((4, 13), False), ((4, 2), True)])
def test_lattices_without_a_colouring_are_refused(lattice: tuple[int, ...], rectangles: bool):
    with pytest.raises(ValueError, match=r"need more than 12 colours; take extents that are"):
        colour_sites(lattice, 0, rectangles)
