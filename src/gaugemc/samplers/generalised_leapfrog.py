"""The generalised leapfrog of L2HMC: an invertible map of phase space, with networks inside.

Layer k, with step size e and frozen part m (1711.09268, section 4; 2105.03418, section 3):

    v' = exp(e s / 2) v - (e / 2) (F exp(e q) + t),                 (s, t, q) from x and F
    x' = m x + (1 - m) [exp(e s) x + e (v exp(e q) + t)],           (s, t, q) from m x and v

in the order v, x with m, x with 1 - m, v. On the circle exp(e s) x becomes the Moebius map
2 atan(exp(e s) tan(x / 2)). The published update for the way back undoes the Moebius map before the
shift; that is not the inverse, and biases the sampler. Here every step is undone in reverse order.
"""

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from gaugemc.flows.moebius import moebius_mixture
from gaugemc.groups import wrap
from gaugemc.samplers.integrator import Phase
from gaugemc.theories import Links, Space, Theory, total

Field = Float[Array, "..."]
Mask = Bool[Array, "..."]
Scalar = Float[Array, ""]
Time = Float[Array, "2"]


class Outputs(NamedTuple):
    """What a network says of an update, each of the field's shape; zeros make it a leapfrog."""

    s: Field
    """Log of the scale, in units of the step."""
    t: Field
    """The shift, in units of the step."""
    q: Field
    """Log of the factor of the force or the momentum, in units of the step."""


class MomentumNetwork(eqx.Module):
    """(s, t, q) of the momentum update: any function of the position, the force and the time."""

    @abc.abstractmethod
    def __call__(self, x: Field, force: Field, time: Time) -> Outputs:
        """The outputs; `time` is (cos, sin) of 2 pi k / n in layer k of n."""


class PositionNetwork(eqx.Module):
    """(s, t, q) of the position update: any function of what it is given."""

    @abc.abstractmethod
    def __call__(self, x: Field, v: Field, frozen: Mask, time: Time) -> Outputs:
        """The outputs; x is 0 where it is not frozen."""


class GeneralisedLeapfrog(eqx.Module):
    """Layers of the generalised leapfrog: what L2HMC trains.

    With `separate` networks every array of the networks has a leading axis, one entry a layer.
    `positions` holds one network for both halves of the position update, or one for each. Masks are
    boolean, so they are saved with the parameters but not trained.
    """

    momentum: MomentumNetwork
    positions: tuple[PositionNetwork, ...]
    masks: Bool[Array, "_ ..."]
    """Which components the first position update of each layer leaves frozen."""
    log_step_sizes: Float[Array, " _"]
    separate: bool = True
    train_step_sizes: bool = True

    def __check_init__(self) -> None:
        if self.n_layers < 1:
            raise ValueError(f"n_leapfrogs {self.n_layers}: L2HMC needs at least one")
        if self.log_step_sizes.shape != (self.n_layers,):
            raise ValueError(
                f"step sizes of shape {self.log_step_sizes.shape}: need one for each of"
                f" {self.n_layers} masks"
            )
        if len(self.positions) not in (1, 2):
            raise ValueError(f"{len(self.positions)} position networks: needs one or two")

    @property
    def n_layers(self) -> int:
        """Leapfrog steps, and so force evaluations, of one pass."""
        return self.masks.shape[0]

    @property
    def step_sizes(self) -> Float[Array, " layer"]:
        """The step size of each layer."""
        e = jnp.exp(self.log_step_sizes)
        return e if self.train_step_sizes else jax.lax.stop_gradient(e)

    def check_space(self, space: Space) -> None:
        """Raise ValueError unless the space has such a leapfrog and the masks fit it."""
        position_map(space)
        if self.masks.shape[1:] != space.field_shape:
            raise ValueError(
                f"masks of shape {self.masks.shape}: need ({self.n_layers}, *field shape) ="
                f" {(self.n_layers, *space.field_shape)}"
            )

    def forward(self, theory: Theory, start: Phase) -> tuple[Phase, Scalar]:
        """The map, and the log of its Jacobian determinant in (x, v), in float64."""
        return self.traverse(theory, start, backward=False)[:2]

    def backward(self, theory: Theory, start: Phase) -> tuple[Phase, Scalar]:
        """The inverse of `forward`, and the log of its Jacobian determinant."""
        return self.traverse(theory, start, backward=True)[:2]

    def traverse(
        self,
        theory: Theory,
        start: Phase,
        backward: bool,
        observe: Callable[[Phase, Scalar], PyTree] | None = None,
    ) -> tuple[Phase, Scalar, PyTree]:
        """One way through all layers; `observe` sees the phase and the log-det after each.

        Returns the end, the log-det, and what was observed, in the order of the layers.
        """
        move = position_map(theory.space)

        def layer(
            carry: tuple[Phase, Scalar], layer: tuple[Scalar, Mask, Time, PyTree]
        ) -> tuple[tuple[Phase, Scalar], PyTree]:
            (x, v, force), log_det = carry
            e, mask, time, networks = layer
            momentum, positions = self._networks(networks)
            parts = [(mask, positions[0]), (~mask, positions[-1])]
            v, change = kick(v, force, momentum(x, force, time), e, backward)
            log_det = log_det + change
            for frozen, network in reversed(parts) if backward else parts:
                outputs = network(jnp.where(frozen, x, 0), v, frozen, time)
                x, change = move(x, v, frozen, outputs, e, backward)
                log_det = log_det + change
            force = theory.force(x)
            v, change = kick(v, force, momentum(x, force, time), e, backward)
            phase, log_det = Phase(x, v, force), log_det + change
            return (phase, log_det), None if observe is None else observe(phase, log_det)

        carry = (start, jnp.zeros((), jnp.float64))
        layers = self._layers(theory.space)
        (end, log_det), seen = jax.lax.scan(layer, carry, layers, reverse=backward)
        return end, log_det, seen

    def networks_are_finite(self, theory: Theory, at: Phase) -> Bool[Array, ""]:
        """Whether all networks of all layers return numbers at a point of phase space."""

        def layer(
            good: Bool[Array, ""], layer: tuple[Scalar, Mask, Time, PyTree]
        ) -> tuple[Bool[Array, ""], None]:
            _, mask, time, networks = layer
            momentum, positions = self._networks(networks)
            outputs = [momentum(at.x, at.force, time)]
            for frozen, network in ((mask, positions[0]), (~mask, positions[-1])):
                outputs.append(network(jnp.where(frozen, at.x, 0), at.v, frozen, time))
            for output in jax.tree.leaves(outputs):
                good = good & jnp.all(jnp.isfinite(output))
            return good, None

        return jax.lax.scan(layer, jnp.asarray(True), self._layers(theory.space))[0]

    def _layers(self, space: Space) -> tuple[Field, Mask, Field, PyTree]:
        """What is scanned: step sizes, masks, times, and the arrays of separate networks."""
        phase = 2 * np.pi * np.arange(self.n_layers) / self.n_layers
        times = jnp.asarray(np.stack([np.cos(phase), np.sin(phase)], 1), space.real_dtype)
        return self.step_sizes.astype(space.real_dtype), self.masks, times, self._split()[0]

    def _split(self) -> tuple[PyTree, PyTree]:
        """The networks' arrays that have an axis of layers, and the rest of the networks."""
        networks = (self.momentum, self.positions)
        return eqx.partition(networks, lambda leaf: self.separate and eqx.is_array(leaf))

    def _networks(self, arrays: PyTree) -> tuple[MomentumNetwork, tuple[PositionNetwork, ...]]:
        return eqx.combine(arrays, self._split()[1])


def kick(
    v: Field, force: Field, outputs: Outputs, e: Scalar, backward: bool
) -> tuple[Field, Scalar]:
    """The momentum update or its inverse, and the log-det."""
    exponent = e / 2 * outputs.s
    push = e / 2 * (force * jnp.exp(e * outputs.q) + outputs.t)
    if backward:
        return jnp.exp(-exponent) * (v + push), -total(exponent)
    return jnp.exp(exponent) * v - push, total(exponent)


def drift(
    x: Field, v: Field, frozen: Mask, outputs: Outputs, e: Scalar, backward: bool
) -> tuple[Field, Scalar]:
    """The position update of R^n or its inverse, and the log-det."""
    exponent = e * outputs.s
    shift = e * (v * jnp.exp(e * outputs.q) + outputs.t)
    moved = jnp.exp(-exponent) * (x - shift) if backward else jnp.exp(exponent) * x + shift
    change = total(jnp.where(frozen, 0, exponent))
    return jnp.where(frozen, x, moved), -change if backward else change


def turn(
    x: Field, v: Field, frozen: Mask, outputs: Outputs, e: Scalar, backward: bool
) -> tuple[Field, Scalar]:
    """The position update of angles or its inverse, and the log-det."""
    exponent = e * outputs.s
    shift = e * (v * jnp.exp(e * outputs.q) + outputs.t)
    if backward:
        moved, slope = moebius_mixture(wrap(x - shift), jnp.exp(-exponent)[None], 1.0)
    else:
        moved, slope = moebius_mixture(x, jnp.exp(exponent)[None], 1.0)
        moved = wrap(moved + shift)
    return jnp.where(frozen, x, moved), total(jnp.where(frozen, 0, slope))


def position_map(
    space: Space,
) -> Callable[[Field, Field, Mask, Outputs, Scalar, bool], tuple[Field, Scalar]]:
    """The position update of a space.

    Raises:
        ValueError: links of a group other than U(1).
    """
    if not isinstance(space, Links):
        return drift
    if space.group.link_shape:
        raise ValueError(f"L2HMC: angles and vectors only, not links of {space.group.name}")
    return turn
