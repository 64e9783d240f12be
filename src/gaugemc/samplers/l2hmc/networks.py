"""Networks of fields for the generalised leapfrog: dense, or convolutional on a lattice."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Key

from gaugemc.arrays import Field
from gaugemc.kernels import cosine, sine
from gaugemc.networks.perceptron import Perceptron
from gaugemc.samplers.l2hmc.network import MomentumNetwork, PositionNetwork, Time
from gaugemc.samplers.l2hmc.updates import Outputs
from gaugemc.spaces import Links, Space

Features = Float[Array, "_ ..."]


class FieldFunction(eqx.Module):
    """(s, t, q) as functions of fields. |s| and |q| are bounded, smoothly, by `bound`.

    Angles enter as (cos, sin), never raw.
    """

    perceptron: Perceptron
    periodic: bool
    bound: float

    def __init__(
        self,
        key: Key[Array, ""],
        space: Space,
        *,
        hidden: Sequence[int],
        kernel_size: int | None = None,
        bound: float = 4.0,
        compute_dtype: DTypeLike | None = None,
    ):
        """Dense without a kernel size, else convolutional, for lattices of any size."""
        self.periodic = isinstance(space, Links)
        self.bound = bound
        size = int(np.prod(space.field_shape))
        dims = 0
        if kernel_size is not None:
            lattice = space.lattice if isinstance(space, Links) else space.field_shape
            dims, size = len(lattice), size // int(np.prod(lattice))
        inputs = size * (3 if self.periodic else 2)
        self.perceptron = Perceptron(
            key,
            (inputs, *hidden, 3 * size),
            dims,
            kernel_size or 1,
            space.real_dtype,
            compute_dtype,
        )

    def features(self, x: Field) -> Features:
        """The position as features of the field's shape."""
        return jnp.stack([cosine(x), sine(x)]) if self.periodic else x[None]

    def __call__(self, features: Features, time: Time) -> Outputs:
        """(s, t, q) from features of the field's shape."""
        shape = features.shape[1:]
        lattice = shape[len(shape) - self.perceptron.dims :]
        outputs = self.perceptron([features.reshape(-1, *lattice)], time)
        s, t, q = outputs.reshape(3, *shape)
        return Outputs(bounded(s, self.bound), t, bounded(q, self.bound))


class FieldMomentum(MomentumNetwork):
    """(s, t, q) of the momentum update from the position and the force at every component."""

    function: FieldFunction

    def __call__(self, x: Field, force: Field, time: Time) -> Outputs:
        features = jnp.concatenate([self.function.features(x), force[None]])
        return self.function(features, time)


class FieldPosition(PositionNetwork):
    """(s, t, q) of the position update from the frozen position and the momentum."""

    function: FieldFunction

    def __call__(self, x: Field, v: Field, frozen: Bool[Array, "..."], time: Time) -> Outputs:
        features = jnp.where(frozen, self.function.features(x), 0)  # cos(0) is not 0
        return self.function(jnp.concatenate([features, v[None]]), time)


def bounded(output: Field, bound: float) -> Field:
    """The output near 0, at most `bound` far from it."""
    return output * jax.lax.rsqrt(1 + (output / bound) ** 2)
