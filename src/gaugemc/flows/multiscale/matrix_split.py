"""A map of one matrix of SU(N), given another: how the loop of a block is split in two.

A block has the loop W = W_a W_b. The map moves W_a and keeps W. It is made of stages
W_a -> exp(A) W_a. A is the gradient of a potential, a polynomial of third order in the variables
x_j = tr(W_a S_j) / N with S = 1, W^-1 and W, real and imaginary parts apart. So tr W_a and tr W_b
are among the x_j. The coefficients of the polynomial come from a network that sees tr W alone,
which no stage moves.
"""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Key

from gaugemc.arrays import Scalar
from gaugemc.flows.stout.link import (
    LARGEST,
    exponent,
    fixed_point,
    log_det,
    newton_step,
    slope,
    stout,
    turned_jacobian,
)
from gaugemc.groups import SUN
from gaugemc.networks import Perceptron

Matrix = Complex[Array, "N N"]
Block = Float[Array, "component component"]
CONTRACTION = 0.97
"""The bound of |dA| / |dW_a| in each stage, below 1: then each stage is a bijection."""
_HIDDEN = (32, 32)
_SCALE = 5.0
_START = 0.3
"""The coefficients of Re tr W_a and Re tr W_b before training, of all stages together."""


class Polynomial(NamedTuple):
    """phi(x) = b_i x_i + x_i B_ij x_j / 2 + C_ijk x_i x_j x_k / 6, with symmetric B and C."""

    linear: Float[Array, "... v"]
    square: Float[Array, "... v v"]
    cubic: Float[Array, "... v v v"]

    def derivatives(self, x: Float[Array, " v"]) -> tuple[Float[Array, " v"], Float[Array, "v v"]]:
        """The first and the second derivatives of phi."""
        bend = jnp.sum(self.cubic * x, axis=-1)
        first = self.linear + jnp.sum((self.square + bend / 2) * x, axis=-1)
        return first, self.square + bend


class MatrixSplit(eqx.Module):
    """W_a' = f(W_a | W), which commutes with conjugation by any matrix, and with W -> W*."""

    network: Perceptron
    group: SUN = eqx.field(static=True)
    stages: int = eqx.field(static=True)

    def __init__(self, key: Key[Array, ""], group: SUN, stages: int, dtype: jax.typing.DTypeLike):
        v = len(_variables(group))
        outputs = stages * (v + v**2 + v**3)
        network = Perceptron(key, (group.n, *_HIDDEN, outputs), 0, dtype=dtype)
        start = np.zeros((stages, outputs // stages))
        start[:, [0, v // len(_LOOPS[group.n])]] = _START / stages / _SCALE
        bias = network.biases[-1] + jnp.asarray(start.ravel(), dtype)
        self.network = eqx.tree_at(lambda network: network.biases[-1], network, bias)
        self.group = group
        self.stages = stages

    def forward(self, part: Matrix, block: Matrix) -> tuple[Matrix, Scalar]:
        """W_a' and the log-det of dW_a' W_a'^-1 by dW_a W_a^-1."""
        loops, potentials = self._conditions(block)

        def stage(u: Matrix, potential: Polynomial) -> tuple[Matrix, Scalar]:
            pull, n = _gradient(self.group, u, loops, potential)
            return stout(self.group, u, pull), log_det(n)

        moved, log_dets = jax.lax.scan(stage, part, potentials)
        return moved, jnp.sum(log_dets, dtype=jnp.float64)

    def inverse(self, moved: Matrix, block: Matrix) -> tuple[Matrix, Scalar]:
        """W_a and the log-det of the inverse."""
        loops, potentials = self._conditions(block)

        def stage(x: Matrix, potential: Polynomial) -> tuple[Matrix, Scalar]:
            u = _unmoved(self.group, x, loops, potential)
            return u, -log_det(_gradient(self.group, u, loops, potential)[1])

        part, log_dets = jax.lax.scan(stage, moved, potentials, reverse=True)
        return part, jnp.sum(log_dets, dtype=jnp.float64)

    def _conditions(self, block: Matrix) -> tuple[Complex[Array, "v N N"], Polynomial]:
        """What follows from W alone: the matrices S_j, and the potential of each stage."""
        group, n = self.group, self.group.n
        matrices = {"1": jnp.eye(n, dtype=block.dtype), "-": group.adjoint(block), "+": block}
        loops = jnp.stack([-1j * matrices[s] if im else matrices[s] for s, im in _variables(group)])
        trace = jnp.trace(block) / n
        even = (2 * trace.real,) if n == 2 else (2 * trace.real, 4 * trace.imag**2)
        seen = jnp.stack([jnp.ones_like(trace.real), *even])
        raw = self.network([seen], jnp.zeros(2, seen.dtype)).reshape(self.stages, -1)
        return loops, _potentials(group, _SCALE * raw, trace.imag)


_LOOPS = {2: "1-", 3: "1-+"}
"""The S_j: 1, W^-1, W. In SU(2) tr(W_a W) follows from the others."""


def _variables(group: SUN) -> list[tuple[str, bool]]:
    """Each x_j: its S, and whether it is an imaginary part, which is odd under W -> W*."""
    return [
        (s, im) for s in _LOOPS[group.n] for im in ((False,) if group.n == 2 else (False, True))
    ]


def _potentials(group: SUN, raw: Float[Array, "stage c"], odd: Scalar) -> Polynomial:
    """Potentials whose gradients are contractions: sum_i |c_i| k_i^2 / N < 1, k_i the order.

    A product of k variables, each of size 1 or less, with gradients of length 1 / sqrt(N) or less
    and second derivatives of 1 / N or less, has second derivatives of k^2 / N or less.
    """
    n, kinds = group.n, np.array([im for _, im in _variables(group)])
    v, stages, count = len(kinds), *raw.shape
    parity = [
        functools.reduce(np.add.outer, [kinds.astype(int)] * k).ravel() % 2 for k in (1, 2, 3)
    ]
    raw = jnp.where(np.concatenate(parity) == 1, odd * raw, raw)
    above = jnp.sqrt(raw**2 + 1 / count**2) - 1 / count  # smooth, and sum |raw| < 1 + sum above
    share = CONTRACTION * n * raw / (1 + jnp.sum(above, axis=1, keepdims=True))
    linear, square, cubic = jnp.split(share, [v, v + v**2], axis=1)
    square, cubic = square.reshape(stages, v, v), cubic.reshape(stages, v, v, v)
    turns = itertools.permutations((1, 2, 3))
    return Polynomial(
        linear,
        (square + jnp.swapaxes(square, 1, 2)) / 4,
        sum(jnp.transpose(cubic, (0, *turn)) for turn in turns) / jnp.asarray(9, cubic.dtype),
    )


def _gradient(
    group: SUN, u: Matrix, loops: Complex[Array, "v N N"], potential: Polynomial
) -> tuple[Matrix, Block]:
    """The weighted sum P of the S_j with A = -TA(u P), and N, the derivative of A.

    Lengths are those of tr(X^-1 X), in which A is the gradient of phi.
    """
    turned = group.multiply(u, loops)
    x = jnp.trace(turned, axis1=-2, axis2=-1).real / group.n
    first, second = potential.derivatives(x)
    pull = jnp.sum(first[:, None, None] * loops, axis=0) / group.n
    of_x = -2 * group.components(group.trace_gradient(turned))  # of grad x_j
    bent = jnp.sum(second[:, :, None] * of_x, axis=1)
    rank = jnp.sum(bent[:, :, None] * of_x[:, None, :], axis=0) / 2
    return pull, slope(group, u, pull) + rank


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _unmoved(
    group: SUN, x: Matrix, loops: Complex[Array, "v N N"], potential: Polynomial
) -> Matrix:
    """The u of x = exp(A(u)) u, by `fixed_point` and then a step of Newton's method.

    Raises:
        RuntimeError: the iteration did not converge, as where a number is not finite.
    """

    def a(u: Matrix) -> Matrix:
        return exponent(group, u, _gradient(group, u, loops, potential)[0])

    u = fixed_point(group, x, a, CONTRACTION, "a split")
    return _newton(group, u, x, loops, potential)


@_unmoved.defjvp
def _implicit(group: SUN, primals: tuple, tangents: tuple) -> tuple[Matrix, Matrix]:
    """The implicit function rule: the derivative of a step of Newton's method at the solution."""
    u = _unmoved(group, *primals)
    return u, jax.jvp(functools.partial(_newton, group, u), primals, tangents)[1]


def _newton(
    group: SUN, u: Matrix, x: Matrix, loops: Complex[Array, "v N N"], potential: Polynomial
) -> Matrix:
    """A step of Newton's method from u, whose own derivative plays no part."""
    pull, n = jax.lax.stop_gradient(_gradient(group, u, loops, potential))
    half = group.exp(exponent(group, u, pull) / 2, LARGEST)
    there = stout(group, u, _gradient(group, u, loops, potential)[0])
    return newton_step(group, u, half, turned_jacobian(n)[0], there, x)
