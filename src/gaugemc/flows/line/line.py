"""What a line map is: a monotone map of the real line to itself, with parameters."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

Value = Float[Array, "..."]
Parameters = Float[Array, "parameter ..."]


class LineMap(eqx.Module):
    """Increasing C^1 maps of the line onto itself; parameters near 0 mean near the identity."""

    @property
    @abc.abstractmethod
    def n_parameters(self) -> int:
        """Number of parameters of one map."""

    @abc.abstractmethod
    def forward(self, x: Value, parameters: Parameters) -> tuple[Value, Value]:
        """f(x) and log f'(x)."""

    @abc.abstractmethod
    def inverse(self, y: Value, parameters: Parameters) -> tuple[Value, Value]:
        """The x with f(x) = y, and log f'(x)."""


class Affine(LineMap):
    """f(x) = e^s x + t (1605.08803), with |s| below `bound`; parameters s, t."""

    bound: float = 3.0

    @property
    def n_parameters(self) -> int:
        return 2

    def forward(self, x: Value, parameters: Parameters) -> tuple[Value, Value]:
        s, t = self._scale_and_shift(parameters)
        return jnp.exp(s) * x + t, s

    def inverse(self, y: Value, parameters: Parameters) -> tuple[Value, Value]:
        s, t = self._scale_and_shift(parameters)
        return (y - t) * jnp.exp(-s), s

    def _scale_and_shift(self, parameters: Parameters) -> tuple[Value, Value]:
        return self.bound * jnp.tanh(parameters[0] / self.bound), parameters[1]
