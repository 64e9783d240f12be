"""The generalised leapfrog of L2HMC: an invertible map of phase space, with networks inside.

Layer k, with step size e and frozen part m (1711.09268, section 4; 2105.03418, section 3):

    v' = exp(e s / 2) v - (e / 2) (F exp(e q) + t),                 (s, t, q) from x and F
    x' = m x + (1 - m) [exp(e s) x + e (v exp(e q) + t)],           (s, t, q) from m x and v

in the order v, x with m, x with 1 - m, v. The last kick of layer k and the first kick of layer
k + 1 are at the same x. Both use the outputs of momentum network k + 1 (network 0 after the last
layer). So momentum networks are evaluated once a leapfrog step.

On the circle, the Moebius map 2 atan(exp(e s) tan(x / 2)) takes the place of exp(e s) x. The
published update for the way back undoes the Moebius map before the shift. That update is not the
inverse, and it biases the sampler. Here every step is undone, in reverse order.
"""

import abc
from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from gaugemc.samplers.hmc.integrator import PhasePoint
from gaugemc.samplers.l2hmc.updates import (
    Backward,
    Field,
    Mask,
    Outputs,
    Scalar,
    directed,
    kick,
    position_map,
)
from gaugemc.spaces import Space
from gaugemc.theories import Theory

Time = Float[Array, "2"]


class MomentumNetwork(eqx.Module):
    """(s, t, q) of the momentum update: any function of the position, the force and the time."""

    @abc.abstractmethod
    def __call__(self, x: Field, force: Field, time: Time) -> Outputs:
        """The outputs; `time` is (cos, sin) of 2 pi k / n in layer k of n."""


class PositionNetwork(eqx.Module):
    """(s, t, q) of the position update: any function of frozen positions, momentum and time."""

    @abc.abstractmethod
    def __call__(self, x: Field, v: Field, frozen: Mask, time: Time) -> Outputs:
        """The outputs; x is 0 where it is not frozen."""


class GeneralisedLeapfrog(eqx.Module):
    """Layers of the generalised leapfrog: what L2HMC trains.

    With `separate` networks every array of the networks has a leading axis, one entry a layer.
    `positions` holds one network for both halves of the position update, or one for each half.
    Without position networks, all positions move at once, as in the ordinary leapfrog. Masks are
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
        if len(self.positions) > 2:
            raise ValueError(f"{len(self.positions)} position networks: needs none, one or two")

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
        """Raise ValueError unless the space has a position update and the masks fit the space."""
        position_map(space)
        if self.masks.shape[1:] != space.field_shape:
            raise ValueError(
                f"masks of shape {self.masks.shape}: need ({self.n_layers}, *field shape) ="
                f" {(self.n_layers, *space.field_shape)}"
            )

    def forward(self, theory: Theory, start: PhasePoint) -> tuple[PhasePoint, Scalar]:
        """The map, and the log of its Jacobian determinant in (x, v), in float64."""
        return self.traverse(theory, start, (False,))[:2]

    def backward(self, theory: Theory, start: PhasePoint) -> tuple[PhasePoint, Scalar]:
        """The inverse of `forward`, and the log of its Jacobian determinant."""
        return self.traverse(theory, start, (True,))[:2]

    def palindrome(self, theory: Theory, start: PhasePoint) -> tuple[PhasePoint, Scalar]:
        """`forward`, a flip of the momentum, `backward`: a map that is its own inverse."""
        return self.traverse(theory, start, (False, True))[:2]

    def traverse(
        self,
        theory: Theory,
        start: PhasePoint,
        passes: tuple[bool | Backward, ...],
        observe: Callable[[PhasePoint, Scalar], PyTree] | None = None,
    ) -> tuple[PhasePoint, Scalar, PyTree]:
        """Passes through all layers, each forward (False) or backward, with flips between them.

        `observe` sees the phase and the log-det after each layer. Returns the end, the log-det, and
        what was observed. All layers of all passes are one loop, so that they are compiled once.
        The reverse pass computes each layer again, which is quicker than to store its values.
        """
        move = position_map(theory.space)
        separate, shared = self._split()
        times, order = self._times(theory.space), np.arange(self.n_layers)
        forward = np.arange(1, self.n_layers + 1) % self.n_layers
        layers = jnp.concatenate([jnp.where(back, order[::-1], order) for back in passes])
        nodes = jnp.concatenate([jnp.where(back, order[::-1], forward) for back in passes])
        flips = np.arange(len(passes) * self.n_layers) % self.n_layers == 0
        flips[0] = False

        def outputs_at(node: Int[Array, ""], x: Field, force: Field) -> Outputs:
            momentum = eqx.combine(select(separate[0], node), shared[0])
            return momentum(x, force, times[node])

        @partial(jax.checkpoint, prevent_cse=False)
        def layer(
            carry: tuple[PhasePoint, Outputs, Scalar],
            index: tuple[Int[Array, ""], Int[Array, ""], Backward, Backward],
        ) -> tuple[tuple[PhasePoint, Outputs, Scalar], PyTree]:
            (x, v, force), outputs, log_det = carry
            k, node, backward, flip = index
            e, mask = self.step_sizes[k].astype(theory.space.real_dtype), self.masks[k]
            v, change = directed(kick, backward, jnp.where(flip, -v, v), force, outputs, e)
            log_det = log_det + change

            def half(
                carry: tuple[Field, Scalar], half: tuple[Bool[Array, ""], PyTree]
            ) -> tuple[tuple[Field, Scalar], None]:
                x, log_det = carry
                frozen = mask ^ half[0]
                outputs = network(half[1])(jnp.where(frozen, x, 0), v, frozen, times[k])
                x, change = directed(move, backward, x, v, frozen, outputs, e)
                return (x, log_det + change), None

            if self.positions:
                network, halves = self._halves(select(separate[1], k), backward)
                (x, log_det), _ = jax.lax.scan(half, (x, log_det), halves)
            else:
                x = theory.space.move(x, v, jnp.where(backward, -e, e))
            force = theory.force(x)
            outputs = outputs_at(node, x, force)
            v, change = directed(kick, backward, v, force, outputs, e)
            phase, log_det = PhasePoint(x, v, force), log_det + change
            return (phase, outputs, log_det), None if observe is None else observe(phase, log_det)

        first = outputs_at(jnp.asarray(0), start.x, start.force)
        carry = (start, first, jnp.zeros((), jnp.float64))
        backward = jnp.concatenate([jnp.full(self.n_layers, back) for back in passes])
        (end, _, log_det), seen = jax.lax.scan(
            layer, carry, (layers, nodes, backward, jnp.asarray(flips))
        )
        return end, log_det, seen

    def networks_are_finite(self, theory: Theory, at: PhasePoint) -> Bool[Array, ""]:
        """Whether step sizes are positive numbers, and all networks of all layers return numbers at
        a point of phase space."""
        steps = jnp.exp(self.log_step_sizes)
        separate, shared = self._split()

        def layer(
            good: Bool[Array, ""], layer: tuple[Mask, Time, PyTree]
        ) -> tuple[Bool[Array, ""], None]:
            mask, time, arrays = layer
            momentum = eqx.combine(arrays[0], shared[0])
            good &= finite(momentum(at.x, at.force, time))
            if not self.positions:
                return good, None
            network, halves = self._halves(arrays[1], jnp.asarray(False))

            def half(good: Bool[Array, ""], half: tuple[Bool[Array, ""], PyTree]):
                frozen = mask ^ half[0]
                outputs = network(half[1])(jnp.where(frozen, at.x, 0), at.v, frozen, time)
                return good & finite(outputs), None

            return jax.lax.scan(half, good, halves)

        layers = (self.masks, self._times(theory.space), separate)
        good = jnp.all((steps > 0) & jnp.isfinite(steps))
        return jax.lax.scan(layer, good, layers)[0]

    def _times(self, space: Space) -> Float[Array, "layer 2"]:
        """The time of each layer, by which its networks know their place."""
        phase = 2 * np.pi * np.arange(self.n_layers) / self.n_layers
        return jnp.asarray(np.stack([np.cos(phase), np.sin(phase)], 1), space.real_dtype)

    def _split(self) -> tuple[PyTree, PyTree]:
        """The networks' arrays that have an axis of layers, and the rest of the networks."""
        networks = (self.momentum, self.positions)
        return eqx.partition(networks, lambda leaf: self.separate and eqx.is_array(leaf))

    def _halves(
        self, arrays: PyTree, backward: Backward
    ) -> tuple[Callable[[PyTree], PositionNetwork], tuple[Bool[Array, " 2"], PyTree]]:
        """The position networks of the two halves of one position update, stacked for a scan.

        Returns a function that makes a network from its arrays, and a pair with one entry for each
        half: whether the half inverts the mask, and the arrays of its network. The halves are in
        the order in which the direction goes through them.
        """
        positions = eqx.combine(arrays, self._split()[1][1])
        parts = [eqx.filter(positions[i], eqx.is_array) for i in (0, -1)]
        static = eqx.filter(positions[0], eqx.is_array, inverse=True)
        order = jnp.where(backward, jnp.asarray([1, 0]), jnp.asarray([0, 1]))
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves)[order], *parts)
        return lambda arrays: eqx.combine(arrays, static), (order == 1, stacked)


def select(arrays: PyTree, index: Int[Array, ""]) -> PyTree:
    """One entry of the leading axis of every array."""
    return jax.tree.map(lambda leaf: leaf[index], arrays)


def finite(outputs: Outputs) -> Bool[Array, ""]:
    """Whether all outputs are numbers."""
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(o)) for o in jax.tree.leaves(outputs)]))
