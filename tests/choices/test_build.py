"""Objects that settings name, in XLA's code alone."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from gaugemc.choices.build import without_kernels
from gaugemc.flows import stout_flow
from gaugemc.groups import SUN
from gaugemc.spaces import Links
from gaugemc.theories import Pullback, Wilson


def test_no_part_keeps_its_kernels(key: Array) -> None:
    """Neither the theory nor the flow, whose space is a static field."""
    links = Links(SUN(2), (2, 2), jnp.float64)
    theory = Wilson(links, 2.0).pullback(stout_flow(links, sweeps=1, rho=0.05))
    x = links.random(key)

    def program(theory: Pullback) -> str:
        return jax.jit(lambda x: theory.force(x)).lower(x).as_text()

    plain = without_kernels(theory)
    assert "gaugemc_stout" in program(theory)
    assert "gaugemc" not in program(plain)
    assert jax.tree.structure(without_kernels(plain)) == jax.tree.structure(plain)
