"""A flow and its inverse, compiled: one program for each flow, in all tests of a file."""

import equinox as eqx
from jaxtyping import Array

from gaugemc.flows import Flow


@eqx.filter_jit
def forward(flow: Flow, z: Array) -> tuple[Array, Array]:
    return flow.forward(z)


@eqx.filter_jit
def inverse(flow: Flow, x: Array) -> tuple[Array, Array]:
    return flow.inverse(x)
