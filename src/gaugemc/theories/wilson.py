"""Wilson's plaquette action, for any group in any dimension."""

import functools
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp

from gaugemc.arrays import Field, Scalar
from gaugemc.groups import Group
from gaugemc.kernels import native
from gaugemc.lattice import (
    plane_plaquettes,
    planes,
    plaquette_sum,
    rectangle_staples,
    rectangle_sum,
    shift,
)
from gaugemc.observables.charge import Charge
from gaugemc.observables.charge_squared import ChargeSquared
from gaugemc.observables.plaquette import Plaquette
from gaugemc.spaces import Links, is_u1_2d, total
from gaugemc.theories.theory import Theory, checked_beta


class Wilson(Theory):
    """S = -(beta / N) sum_P Re tr P on the links of a periodic lattice (Wilson 1974).

    For U(1) the action is -beta sum_P cos(x_P). Observables are the `plaquette`, and in
    two-dimensional U(1) the integer `charge` and its square.
    beta is data: another one does not compile anew.
    """

    space: Links
    beta: Scalar = eqx.field(converter=checked_beta)

    def __check_init__(self) -> None:
        if not isinstance(self.space, Links):
            raise ValueError(f"Wilson's action: needs links, not {self.space!r}")

    @property
    def name(self) -> str:
        return f"{len(self.space.lattice)}D {self.space.group.name}"

    @property
    def leading(self) -> tuple[str, ...]:
        return ("charge", "plaquette") if is_u1_2d(self.space) else ("plaquette",)

    @property
    def couplings(self) -> tuple[Scalar, ...]:
        """What the loops of S are multiplied with: plaquettes, and rectangles if there are any."""
        return (self.beta,)

    @property
    def loop_couplings(self) -> tuple[Scalar, ...]:
        return self.couplings

    @property
    def compiled_couplings(self) -> tuple[Scalar, ...]:
        return self.loop_couplings if has_kernels(self.space, len(self.couplings)) else ()

    @eqx.filter_jit
    def action(self, x: Field) -> Scalar:
        self.space.check_shape(x)
        action = jnp.zeros(())
        for coupling, loop_sum in zip(self.couplings, (plaquette_sum, rectangle_sum)):
            action = action - coupling * total(loop_sum(self.space.group, x))
        return action

    @eqx.filter_jit
    def force(self, x: Field) -> Field:
        """The left derivative of S."""
        self.space.check_shape(x)
        return gauge_force(self.space, x, self.couplings)

    @eqx.filter_jit
    def observables(self, x: Field) -> dict[str, Scalar]:
        charges = (Charge(), ChargeSquared()) if is_u1_2d(self.space) else ()
        return {o.name: o(self.space, x) for o in (Plaquette(), *charges)}


def has_kernels(space: Links, loops: int) -> bool:
    """Whether there are compiled kernels for trajectories of plaquettes, and of rectangles if 2."""
    return space.kernels.issuperset(("trajectory", "rectangle_sum")[:loops])


def gauge_force(space: Links, x: Field, couplings: tuple[Scalar, ...]) -> Field:
    """The left derivative of -(1 / N) sum_i b_i sum Re tr of loops, compiled where it can be.

    The couplings are b_0 of plaquettes, and b_1 of 1 x 2 rectangles if there are any.
    """
    force = functools.partial(loop_force, space.group)
    if has_kernels(space, len(couplings)) and x.dtype == space.dtype:
        force = native.twinned(native.force, force)
    return force(x, couplings)


def loop_force(group: Group, x: Field, couplings: tuple[Scalar, ...]) -> Field:
    """The force in operations of JAX, for any group: the twin of the compiled kernel."""
    plaquette, *rectangle = (coupling.astype(x.real.dtype) for coupling in couplings)
    force = plaquette_force(group, x, [plaquette] * len(planes(len(x))))
    for coupling in rectangle:
        force = force + _rectangle_force(group, x, coupling)
    return force


def plaquette_force(group: Group, x: Field, couplings: Sequence[Field]) -> Field:
    """Each plaquette's gradient, carried to its four links.

    There is a coupling for each plane: a number, or a number for each plaquette that broadcasts
    against algebra elements.
    """
    force: list[Field] = [jnp.zeros_like(direction) for direction in x]
    for (mu, nu), coupling in zip(planes(len(x)), couplings):
        g = coupling * group.trace_gradient(plane_plaquettes(group, x, mu, nu))
        at_mu, at_nu = group.transport(x[mu], g), group.transport(x[nu], g)
        force[mu] = force[mu] + (g - shift(at_nu, nu, -1))
        force[nu] = force[nu] + (shift(at_mu, mu, -1) - g)
    return jnp.stack(force)


def _rectangle_force(group: Group, x: Field, coupling: Scalar) -> Field:
    """Each link with the sum of its rectangles' staples."""
    staples = (rectangle_staples(group, x, mu) for mu in range(len(x)))
    return jnp.stack(
        [
            group.staple_gradient(link, group.sum_staples(around, coupling))
            for link, around in zip(x, staples)
        ]
    )
