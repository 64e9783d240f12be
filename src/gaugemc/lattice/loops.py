"""Closed loops of links: plaquettes, Wilson loops, Polyakov loops.

Links have shape (d, L_0, ..., L_{d-1}, *link_shape); U_mu(n) leads from n to n + e_mu.
"""

import functools
import itertools

import jax.numpy as jnp
from jaxtyping import Array, Shaped

from gaugemc.arrays import Field, Scalar
from gaugemc.groups import Group
from gaugemc.kernels import native
from gaugemc.lattice.shift import shift

LinkField = Shaped[Array, "d ..."]


def planes(dimensions: int) -> list[tuple[int, int]]:
    """The planes (mu, nu), mu < nu, in the order in which plaquettes are stacked."""
    return list(itertools.combinations(range(dimensions), 2))


def plane_plaquettes(group: Group, links: LinkField, mu: int, nu: int) -> Field:
    """U_mu(n) U_nu(n + mu) U_mu(n + nu)^-1 U_nu(n)^-1 at every site n."""
    there = group.multiply(links[mu], shift(links[nu], mu))
    back = group.multiply(links[nu], shift(links[mu], nu))
    return group.multiply(there, group.adjoint(back))


def plaquettes(group: Group, links: LinkField) -> Shaped[Array, "plane ..."]:
    """All plaquettes, shape (d (d - 1) / 2, L_0, ..., L_{d-1}, *link_shape)."""
    return jnp.stack([plane_plaquettes(group, links, mu, nu) for mu, nu in planes(len(links))])


def plaquette_sum(group: Group, links: LinkField) -> Scalar:
    """The sum of Re tr P / N over all plaquettes P, in float64."""
    traces = functools.partial(_plaquette_traces, group)
    if "plaquette_sum" in group.kernels(links.dtype):
        return native.twinned(native.plaquette_sum, traces)(links)
    return traces(links)


def _plaquette_traces(group: Group, links: LinkField) -> Scalar:
    return jnp.sum(group.trace(plaquettes(group, links)), dtype=jnp.float64)


def line(group: Group, links: LinkField, mu: int, length: int) -> Field:
    """The product of `length` links from n along mu."""
    product = links[mu]
    for step in range(1, length):
        product = group.multiply(product, shift(links[mu], mu, step))
    return product


def wilson_loops(group: Group, links: LinkField, mu: int, nu: int, r: int, t: int) -> Field:
    """The r x t rectangle in the (mu, nu) plane with its corner at every site n."""
    along_mu, along_nu = line(group, links, mu, r), line(group, links, nu, t)
    there = group.multiply(along_mu, shift(along_nu, mu, r))
    back = group.multiply(along_nu, shift(along_mu, nu, t))
    return group.multiply(there, group.adjoint(back))


def rectangle_sum(group: Group, links: LinkField) -> Scalar:
    """The sum of Re tr R / N over all 1 x 2 and 2 x 1 rectangles R, in float64."""
    traces = functools.partial(_rectangle_traces, group)
    if "rectangle_sum" in group.kernels(links.dtype):
        return native.twinned(native.rectangle_sum, traces)(links)
    return traces(links)


def _rectangle_traces(group: Group, links: LinkField) -> Scalar:
    sums = [
        jnp.sum(group.trace(wilson_loops(group, links, mu, nu, r, 3 - r)), dtype=jnp.float64)
        for mu, nu in planes(len(links))
        for r in (1, 2)
    ]
    return jnp.sum(jnp.stack(sums))


def polyakov_loops(group: Group, links: LinkField, mu: int) -> Field:
    """The loop that winds once around direction mu, at every site with n_mu = 0."""
    slices = (jnp.take(links[mu], n, axis=mu) for n in range(links.shape[1 + mu]))
    return functools.reduce(group.multiply, slices)
