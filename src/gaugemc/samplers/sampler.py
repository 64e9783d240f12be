"""What a sampler is: a pure Markov kernel, `init` and `step`."""

import abc
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key, PyTree

from gaugemc.arrays import Field, Scalar
from gaugemc.spaces import Space
from gaugemc.theories import Theory


class Info(NamedTuple):
    """What a step reports."""

    accepted: Bool[Array, ""]
    acceptance: Scalar
    """The probability of acceptance, min(1, exp(-delta_h))."""
    delta_h: Scalar
    """Minus the log of the acceptance ratio, in float64."""
    force_evaluations: Int[Array, ""]


class ComposeInfo(NamedTuple):
    """What a step of a composition reports: the fields of an `Info`, and the members' own."""

    accepted: Bool[Array, ""]
    """Of the member that moved last."""
    acceptance: Scalar
    """The mean over the members that moved."""
    delta_h: Scalar
    """Of the member that moved last."""
    force_evaluations: Int[Array, ""]
    """Of all members."""
    members: "tuple[Info | ComposeInfo, ...]"
    """What each member reports; zeros of a member that did not move."""
    moved: tuple[Bool[Array, ""], ...]
    """Which members moved: all in a cycle, one in a mixture."""


def always_accepted() -> Info:
    """The report of a step that draws from the density itself."""
    one, zero = jnp.ones((), jnp.float64), jnp.zeros((), jnp.float64)
    return Info(jnp.ones((), bool), one, zero, jnp.zeros((), jnp.int32))


def stuck(theory: Theory, action: Scalar) -> dict[str, Bool[Array, ""]]:
    """The fault of a start with this action: all proposals would be rejected for ever."""
    message = f"{theory.name}: the action of the start is NaN or -infinity"
    return {message: jnp.isnan(action) | jnp.isneginf(action)}


class Sampler(eqx.Module):
    """A Markov kernel that leaves a theory's density invariant.

    A kernel is written for one chain; `sample` runs many. States are NamedTuples of arrays with a
    field `x`. This x is a variable of `theory`, and `theory.configuration(state.x)` is the physical
    configuration.
    """

    theory: eqx.AbstractVar[Theory]

    @property
    def forces_of_state(self) -> int:
        """Force evaluations of `state`, which a composition counts where another member moved."""
        return 0

    @property
    def one_start(self) -> str:
        """What all chains start from, hot or not; "" where they start hot and cold."""
        return ""

    def start(self, key: Key[Array, ""], hot: bool | Bool[Array, ""]) -> Field:
        """A hot (reference measure) or cold (ordered) point of the space."""
        space: Space = self.theory.space
        return jnp.where(hot, space.random(key), space.origin())

    @abc.abstractmethod
    def init(self, key: Key[Array, ""], hot: bool | Bool[Array, ""] = True) -> PyTree:
        """The state of a new chain, from a hot or a cold start."""

    def faults(self, key: Key[Array, ""], state: PyTree) -> dict[str, Bool[Array, ""]]:
        """What would keep a new chain in its state for ever: messages, and whether they hold.

        `start_chains` raises the first one that does.
        """
        return {}

    def state(self, x: Field) -> PyTree:
        """The state of a chain that continues from x; only `Compose` needs it."""
        raise NotImplementedError(
            f"{type(self).__name__}: composed samplers need a method state(x)"
        )

    @abc.abstractmethod
    def step(self, key: Key[Array, ""], state: PyTree) -> tuple[PyTree, Info | ComposeInfo]:
        """One draw: the next state, and what happened."""
