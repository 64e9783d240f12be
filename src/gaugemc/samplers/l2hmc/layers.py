"""The layers of a generalised leapfrog: their step sizes, masks and networks."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped

from gaugemc.samplers.hmc.integrator import PhasePoint
from gaugemc.samplers.l2hmc.network import MomentumNetwork, PositionNetwork, Time
from gaugemc.samplers.l2hmc.updates import Backward, Field
from gaugemc.spaces import Links, Space
from gaugemc.theories import Theory


class Layers(eqx.Module):
    """What a generalised leapfrog is made of, layer by layer.

    With `separate` networks every array of the networks has a leading axis, one entry a layer.
    `positions` holds one network for all parts of the position update, or one for the even and one
    for the odd parts. Without position networks, all positions move at once, as in the ordinary
    leapfrog. Masks are whole numbers or boolean, so they are saved with the parameters but not
    trained.
    """

    momentum: MomentumNetwork
    positions: tuple[PositionNetwork, ...]
    masks: Shaped[Array, "_ ..."]
    """The part in which each component moves, in each layer: 0 or 1 as False or True, or whole
    numbers for more parts."""
    log_step_sizes: Float[Array, " _"]
    separate: bool = True
    train_step_sizes: bool = True
    signs: tuple[int, ...] | None = eqx.field(default=None, static=True)
    """Of the step sizes; all positive by default. Integrators of fourth order go back in places."""
    turn: MomentumNetwork | None = None
    """The momentum network where a palindrome turns back; by default network 0."""
    length: float | None = eqx.field(default=None, static=True)
    """Of a pass, the sum of its step sizes, where training shall keep this length."""

    def __check_init__(self) -> None:
        if self.n_layers < 1:
            raise ValueError(f"n_leapfrogs {self.n_layers}: L2HMC needs at least one")
        if self.log_step_sizes.shape != (self.n_layers,):
            raise ValueError(
                f"step sizes of shape {self.log_step_sizes.shape}: need one for each of"
                f" {self.n_layers} masks"
            )
        if self.turn is not None and not self.separate:
            raise ValueError("turn: needs momentum networks of each layer's own")
        if self.length is not None and not 0 < self.length < np.inf:
            raise ValueError(f"length {self.length}: must be positive and finite")
        if len(self.positions) > 2:
            raise ValueError(f"{len(self.positions)} position networks: needs none, one or two")

    @property
    def n_layers(self) -> int:
        """Leapfrog steps, and so force evaluations, of one pass."""
        return self.masks.shape[0]

    @property
    def n_parts(self) -> int:
        """In how many parts the components move: two halves, or the links of a direction at the
        sites of a parity."""
        return 2 if self.masks.dtype == bool else 2 * self.masks.shape[1]

    @property
    def step_sizes(self) -> Float[Array, " layer"]:
        """The step size of each layer."""
        e = jnp.exp(self.log_step_sizes)
        e = e if self.signs is None else e * jnp.asarray(self.signs)
        e = e if self.length is None else e * (self.length / jnp.sum(e))
        return e if self.train_step_sizes else jax.lax.stop_gradient(e)

    def check_space(self, space: Space) -> None:
        """Raise ValueError unless the masks fit the space."""
        shape = (self.n_layers, *masked_shape(space))
        if self.masks.shape != shape:
            raise ValueError(f"masks of shape {self.masks.shape}: {space.name} need {shape}")

    def force(self, theory: Theory, x: Field) -> Field:
        """The force of the first kick and of the last, which states of chains hold."""
        return self.momentum_of(jnp.asarray(0)).force(theory, x)

    def path(
        self, passes: tuple[bool | Backward, ...]
    ) -> tuple[Int[Array, " step"], Int[Array, " step"]]:
        """For each leapfrog step its layer, and the momentum network of the kick at its end."""
        order = np.arange(self.n_layers)
        forward = np.roll(order, -1)
        layers = jnp.concatenate([jnp.where(back, order[::-1], order) for back in passes])
        nodes = jnp.concatenate([jnp.where(back, order[::-1], forward) for back in passes])
        if self.turn is not None:  # where another pass follows one forward
            ends = [n * self.n_layers - 1 for n, b in enumerate(passes[:-1], 1) if b is False]
            nodes = nodes.at[np.asarray(ends, int)].set(self.n_layers)
        return layers, nodes

    def networks_are_finite(self, theory: Theory, at: PhasePoint) -> Bool[Array, ""]:
        """Whether step sizes are numbers and not 0, and all networks of all layers return numbers
        at a point of phase space."""
        steps = self.step_sizes
        separate, shared = self.split()
        turn = True if self.turn is None else finite(self.turn.force(theory, at.x))

        def layer(
            good: Bool[Array, ""], layer: tuple[Shaped[Array, "..."], Time, PyTree]
        ) -> tuple[Bool[Array, ""], None]:
            mask, time, arrays = layer
            momentum = eqx.combine(arrays[0], shared[0])
            force = momentum.force(theory, at.x)
            good &= finite((force, momentum(at.x, force, time)))
            if not self.positions:
                return good, None
            network, parts = self.parts(arrays[1], jnp.asarray(False))

            def of_part(good: Bool[Array, ""], part: tuple[Int[Array, ""], PyTree]):
                frozen = mask != part[0]
                outputs = network(part[1])(jnp.where(frozen, at.x, 0), at.v, frozen, time)
                return good & finite(outputs), None

            return jax.lax.scan(of_part, good, parts)

        layers = (self.masks, self.times(theory.space)[:-1], separate)
        good = jnp.all((steps != 0) & jnp.isfinite(steps)) & (jnp.sum(steps) > 0) & turn
        return jax.lax.scan(layer, good, layers)[0]

    def times(self, space: Space) -> Float[Array, "node 2"]:
        """The time of each layer, by which its networks know their place, and of the turn."""
        phase = 2 * np.pi * np.arange(self.n_layers + 1) / self.n_layers
        return jnp.asarray(np.stack([np.cos(phase), np.sin(phase)], 1), space.real_dtype)

    def momentum_of(self, node: Int[Array, ""]) -> MomentumNetwork:
        """The momentum network of that number, the last one that of the turn."""
        (arrays, _), (shared, _) = self.split()
        if self.turn is not None:
            last = eqx.filter(self.turn, eqx.is_array)
            arrays = jax.tree.map(lambda a, b: jnp.concatenate([a, b[None]]), arrays, last)
        return eqx.combine(select(arrays, node), shared)

    def split(self) -> tuple[PyTree, PyTree]:
        """The networks' arrays that have an axis of layers, and the rest of the networks."""
        networks = (self.momentum, self.positions)
        return eqx.partition(networks, lambda leaf: self.separate and eqx.is_array(leaf))

    def parts(
        self, positions: PyTree, backward: Backward
    ) -> tuple[Callable[[PyTree], PositionNetwork], tuple[Int[Array, " part"], PyTree]]:
        """The parts of one position update for a scan, each with the arrays of its network.

        `positions` are the arrays of a layer's networks. Returns a function that makes a network
        from its arrays, and the parts in the order in which the direction goes through them.
        """
        networks = eqx.combine(positions, self.split()[1][1])
        arrays = [eqx.filter(networks[i], eqx.is_array) for i in (0, -1)]
        static = eqx.filter(networks[0], eqx.is_array, inverse=True)
        order = np.arange(self.n_parts)
        order = jnp.where(backward, order[::-1], order)
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves)[order % 2], *arrays)
        return lambda arrays: eqx.combine(arrays, static), (order, stacked)


def select(arrays: PyTree, index: Int[Array, ""]) -> PyTree:
    """One entry of the leading axis of every array."""
    return jax.tree.map(lambda leaf: leaf[index], arrays)


def masked_shape(space: Space) -> tuple[int, ...]:
    """The shape of a mask: a number for each component of R^n, or for each link."""
    if isinstance(space, Links):
        return (*space.shape, *(1 for _ in space.group.link_shape))
    return space.field_shape


def finite(outputs: PyTree) -> Bool[Array, ""]:
    """Whether all outputs are numbers."""
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(o)) for o in jax.tree.leaves(outputs)]))
