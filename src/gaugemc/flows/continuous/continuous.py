"""The continuous flow of two-dimensional SU(N): links follow the gradient of loops (2212.08469).

dU/dt = sum_i c_i(t) (d W_i) U from t = 0 to 1, and d log det / dt = sum_i c_i(t) (d_a d_a W_i). The
coefficients c_i are polynomials in t. Their numbers are all that is trained.
"""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.integrate import DOP853

from gaugemc.arrays import Field, Scalar
from gaugemc.flows.continuous.loops import potential
from gaugemc.flows.continuous.words import terms
from gaugemc.flows.flow import Flow
from gaugemc.groups import SUN
from gaugemc.spaces import Links

CORRECTIONS = 2
"""Of the inverse. Each makes its error smaller by a factor of the size of the error of steps."""


class Continuous(Flow):
    """Links that follow the gradient of a potential of loops, by Runge-Kutta steps of order 8.

    The flow commutes with gauge transformations, translations, rotations, reflections and charge
    conjugation. The log-det is that of the differential equation. It is the log-det of the steps
    up to an error that falls as `steps`^-8.
    """

    space: Links = eqx.field(static=True)
    degree: int = eqx.field(static=True)
    steps: int = eqx.field(static=True)
    coefficients: Float[Array, "loop power"]

    def __check_init__(self) -> None:
        lattice = self.space.lattice
        if not isinstance(self.space.group, SUN) or len(lattice) != 2:
            raise ValueError(f"flow: needs links of 2D SU(N), not {self.space.name}")
        if min(lattice) < 3:
            raise ValueError(
                f"lattice {list(lattice)}: has {min(lattice)} sites along a direction, the loops of"
                " a continuous flow need 3 or more"
            )

    @property
    def group(self) -> SUN:
        """The group of the links."""
        assert isinstance(self.space.group, SUN)
        return self.space.group

    def on(self, lattice: tuple[int, ...]) -> Continuous:
        """The same flow: its coefficients know no lattice."""
        return dataclasses.replace(self, space=dataclasses.replace(self.space, lattice=lattice))

    def forward(self, z: Field) -> tuple[Field, Scalar]:
        self.space.check_shape(z)
        return self._flowed(z, 1)

    def inverse(self, x: Field) -> tuple[Field, Scalar]:
        """The field whose image is x: steps back in time, and corrections of what they miss.

        Raises:
            RuntimeError: the image is not x, because steps are too few.
        """
        self.space.check_shape(x)
        group = self.group
        z = self._flowed(x, -1)[0]
        aim = x
        for _ in range(CORRECTIONS):
            missed = group.multiply(x, group.adjoint(self._flowed(z, 1)[0]))
            aim = group.multiply(missed, aim)
            z = self._flowed(aim, -1)[0]
        image, log_det = self._flowed(z, 1)
        tolerance = float(jnp.finfo(x.dtype).eps) ** 0.75
        z = eqx.error_if(
            z,
            ~(jnp.max(jnp.abs(image - x)) <= tolerance),
            f"the inverse of a continuous flow misses by more than {tolerance:.1g} in {self.steps}"
            " steps: take more",
        )
        return z, -log_det

    @eqx.filter_jit  # one trace for all programs
    def _flowed(self, links: Field, direction: int) -> tuple[Field, Scalar]:
        """The links after all steps forwards (1) or back (-1), and the log-det."""
        size = direction / self.steps
        start = 0 if direction > 0 else 1
        rates_at = eqx.filter_checkpoint(self._rates)  # a stage is held as links, for its reverse

        def step(state: tuple[Field, Scalar], n: Array) -> tuple[tuple[Field, Scalar], None]:
            links, log_det = state
            slopes = jnp.zeros((len(DOP853.B), *links.shape), links.dtype)
            stages = jnp.asarray(DOP853.A), jnp.asarray(DOP853.C), jnp.arange(len(DOP853.B))

            def stage(slopes: Field, row: tuple[Array, Array, Array]) -> tuple[Field, Scalar]:
                weights, node, index = row
                at = links + _combined(size * weights, slopes)
                slope, rate = rates_at(at, start + size * (n + node))
                return slopes.at[index].set(slope), rate

            slopes, rates = jax.lax.scan(stage, slopes, stages)
            b = size * jnp.asarray(DOP853.B)
            return (self._nearest(links + _combined(b, slopes)), log_det + b @ rates), None

        return jax.lax.scan(step, (links, jnp.zeros((), jnp.float64)), jnp.arange(self.steps))[0]

    def _rates(self, links: Field, t: Scalar) -> tuple[Field, Scalar]:
        """dU/dt, and the rate of the log-det."""
        group, powers = self.group, np.arange(self.coefficients.shape[1])
        c = self.coefficients @ (2 * t - 1) ** powers

        def loops(links: Field) -> tuple[Scalar, Scalar]:
            return potential(group, links, self.degree, c)

        gradient, rate = jax.grad(loops, has_aux=True)(links)
        return group.tangent(links, group.left_derivative(links, gradient)), rate

    def _nearest(self, u: Field) -> Field:
        """Matrices near the group, in the group: their unitary factor by Newton's iteration.

        It commutes with gauge transformations, as `project` does not.
        """
        group = self.group
        one = group.identity((), u.dtype)
        for _ in range(2):
            u = group.multiply(u, 1.5 * one - group.multiply(group.adjoint(u), u) / 2)
        return group.expanded(jnp.exp(-1j / group.n * group.angle(u))) * u


def _combined(weights: Float[Array, " stage"], slopes: Field) -> Field:
    return jnp.tensordot(weights.astype(slopes.real.dtype), slopes, 1, precision="highest")


def continuous_flow(
    space: Links, *, degree: int = 2, powers: int = 2, steps: int = 6
) -> Continuous:
    """The continuous flow of two-dimensional SU(N), at first the identity.

    Args:
        space: links of SU(N) in two dimensions, with extents of 3 or more.
        degree: the most plaquettes in a product of traces: 1, 2 and 3 give 1, 8 and 24 loops.
        powers: numbers in the polynomial in t that is the coefficient of a loop.
        steps: from t = 0 to 1, of twelve stages each.

    Raises:
        ValueError: the space is another, or a number is out of range.
    """
    if degree not in (1, 2, 3):
        raise ValueError(f"degree {degree}: choose 1, 2 or 3")
    for name, value in (("powers", powers), ("steps", steps)):
        if value < 1:
            raise ValueError(f"{name} {value}: must be positive")
    coefficients = jnp.zeros((len(terms(degree)), powers), space.real_dtype)
    return Continuous(space, degree, steps, coefficients)
