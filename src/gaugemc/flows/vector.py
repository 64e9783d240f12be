"""Couplings of vectors: half of the components follow a line map that the others decide."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Key

from gaugemc.arrays import Field, Scalar
from gaugemc.flows.flow import Chain, Flow, Repeat
from gaugemc.flows.line.line import LineMap, Parameters, Value
from gaugemc.flows.line.spline import LineSpline
from gaugemc.spaces import Euclidean, Space, total


class VectorCoupling(Flow):
    """x = z where `frozen`; elsewhere a line map whose parameters are a network of the frozen part.

    (1605.08803, with splines 1906.04032.)
    """

    space: Euclidean = eqx.field(static=True)
    frozen: Bool[Array, "..."]
    line: LineMap
    network: eqx.nn.MLP

    def forward(self, z: Field) -> tuple[Field, Scalar]:
        return self._move(z, self.line.forward, 1)

    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        return self._move(x, self.line.inverse, -1)

    def _move(
        self, x: Field, line: Callable[[Value, Parameters], tuple[Value, Value]], sign: int
    ) -> tuple[Field, Scalar]:
        self.space.check_shape(x)
        seen = self.network(jnp.where(self.frozen, x, 0).reshape(-1))
        moved, log_slope = line(x, seen.reshape(self.line.n_parameters, *x.shape))
        log_det = sign * total(jnp.where(self.frozen, 0, log_slope))
        return jnp.where(self.frozen, x, moved), log_det


def _shrunk(leaf: Any) -> Any:
    return 0.01 * leaf


def vector_flow(
    key: Key[Array, ""],
    space: Space,
    line: LineMap = LineSpline(),  # noqa: B008
    *,
    n_layers: int = 8,
    width: int = 32,
    depth: int = 2,
) -> Flow:
    """Couplings with alternating halves of the components frozen, nearly the identity at first.

    Args:
        key: the source of the networks' weights.
        space: R^n; with one component nothing is frozen.
        line: the map of a component: `LineSpline()` or `Affine()` (Real NVP).
        n_layers: couplings, an even number; two move every component once.
        width: of the hidden layers of each network.
        depth: hidden layers of each network.

    Raises:
        ValueError: the space is not Euclidean, or n_layers is not a positive even number.
    """
    if not isinstance(space, Euclidean):
        raise ValueError(f"vector flow: needs R^n, not {space.name}")
    if n_layers < 2 or n_layers % 2:
        raise ValueError(f"n_layers {n_layers}: must be a positive even number")
    size = math.prod(space.shape)
    parity = (jnp.arange(size) % 2).reshape(space.shape)

    def coupling(key: Key[Array, ""], side: int) -> VectorCoupling:
        outputs, dtype = line.n_parameters * size, space.real_dtype
        network = eqx.nn.MLP(size, outputs, width, depth, jax.nn.silu, dtype=dtype, key=key)
        # A small head: the flow starts near the identity.
        network = eqx.tree_at(
            lambda n: n.layers[-1], network, replace_fn=lambda head: jax.tree.map(_shrunk, head)
        )
        return VectorCoupling(space, (parity == side) & (size > 1), line, network)

    @eqx.filter_vmap
    def pair(key: Key[Array, ""]) -> Chain:
        return Chain(tuple(coupling(k, side) for side, k in enumerate(jax.random.split(key))))

    n_pairs = n_layers // 2
    return Repeat(pair(jax.random.split(key, n_pairs)), n_pairs)
