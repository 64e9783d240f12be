"""Wilson's plaquette action, for any group in any dimension."""

import equinox as eqx
import jax.numpy as jnp

from gaugemc.arrays import Field, Scalar
from gaugemc.lattice import plane_plaquettes, planes, plaquettes, shift
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
    def loop_couplings(self) -> tuple[Scalar, ...]:
        return (self.beta,)

    @eqx.filter_jit
    def action(self, x: Field) -> Scalar:
        self.space.check_shape(x)
        return -self.beta * total(self.space.group.trace(plaquettes(self.space.group, x)))

    @eqx.filter_jit
    def force(self, x: Field) -> Field:
        """The left derivative of S: each plaquette's gradient, carried to its four links."""
        self.space.check_shape(x)
        group, beta = self.space.group, self.beta.astype(self.space.real)
        force: list[Field] = [jnp.zeros_like(direction) for direction in x]
        for mu, nu in planes(len(self.space.lattice)):
            g = beta * group.trace_gradient(plane_plaquettes(group, x, mu, nu))
            at_mu, at_nu = group.transport(x[mu], g), group.transport(x[nu], g)
            force[mu] = force[mu] + (g - shift(at_nu, nu, -1))
            force[nu] = force[nu] + (shift(at_mu, mu, -1) - g)
        return jnp.stack(force)

    @eqx.filter_jit
    def observables(self, x: Field) -> dict[str, Scalar]:
        charges = (Charge(), ChargeSquared()) if is_u1_2d(self.space) else ()
        return {o.name: o(self.space, x) for o in (Plaquette(), *charges)}
