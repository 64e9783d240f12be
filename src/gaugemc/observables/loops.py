"""Averages of Wilson and Polyakov loops."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.lattice import planes, polyakov_loops, wilson_loops
from gaugemc.observables.gauge_field import gauge_field
from gaugemc.theories import Theory


def wilson_loop_means(
    theory: Theory, x: Field, max_r: int, max_t: int
) -> Float[Array, "max_r max_t"]:
    """Mean of Re tr W(r, t) / N for r = 1 .. max_r and t = 1 .. max_t, in float64.

    The average is over all sites and all planes (mu, nu), mu < nu, with r along mu and t along nu
    (Wilson 1974). Entry [0, 0] is the plaquette.

    Raises:
        ValueError: if a loop would be larger than the lattice.
    """
    group, links = gauge_field(theory, x)
    pairs = planes(len(links))
    lattice = links.shape[1 : 1 + len(links)]
    limit_r, limit_t = (min(lattice[pair[i]] for pair in pairs) for i in (0, 1))
    if not (1 <= max_r <= limit_r and 1 <= max_t <= limit_t):
        raise ValueError(
            f"Wilson loops up to {max_r} x {max_t}: lattice {list(lattice)} holds 1 x 1 up to "
            f"{limit_r} x {limit_t}"
        )
    means = [
        jnp.mean(
            jnp.stack([group.trace(wilson_loops(group, links, mu, nu, r, t)) for mu, nu in pairs]),
            dtype=jnp.float64,
        )
        for r in range(1, max_r + 1)
        for t in range(1, max_t + 1)
    ]
    return jnp.stack(means).reshape(max_r, max_t)


def polyakov_means(theory: Theory, x: Field) -> Float[Array, " d"]:
    """Mean of Re tr P_mu / N over the loops that wind around each direction mu, in float64.

    Polyakov loops vanish on average where the centre symmetry is not broken (Polyakov 1978).
    """
    group, links = gauge_field(theory, x)
    means = [
        jnp.mean(group.trace(polyakov_loops(group, links, mu)), dtype=jnp.float64)
        for mu in range(len(links))
    ]
    return jnp.stack(means)
