"""What is measured on the draws of chains, and on which."""

import operator
from collections.abc import Mapping
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Shaped

from gaugemc.arrays import Field
from gaugemc.observables import Observable
from gaugemc.observables.action import Action
from gaugemc.observables.flowed import Flow, Flowed
from gaugemc.theories import Theory

Measured = dict[str, Field]


class Measurement(eqx.Module):
    """The observables of a run.

    A theory's leading observables are measured on every draw: they show what is frozen, and every
    other observable may depend on them.
    """

    names: tuple[str, ...] | None
    """Those of the theory's own observables that are wanted besides; None for all."""
    every: int = eqx.field(static=True)
    """All but the leading observables and the action are measured on every so manieth draw, and are
    NaN between."""
    _flow: Flow | None
    """The first flow, held once: of numbers that come twice, XLA would make the flow twice."""
    _more: tuple[Observable, ...]
    """The further observables; those along this flow without it."""
    _along: tuple[bool, ...] = eqx.field(static=True)
    """Which of them are along this flow."""

    def __init__(
        self,
        names: tuple[str, ...] | None = None,
        more: tuple[Observable, ...] = (),
        every: int = 1,
    ):
        self.names, self.every = names, operator.index(every)
        if self.every < 1:
            raise ValueError(f"every {self.every}: must be at least 1")
        if names is not None and not isinstance(names, tuple):
            raise ValueError(f"names {names!r}: give a tuple of names")
        if not isinstance(more, tuple) or not all(isinstance(o, Observable) for o in more):
            raise ValueError(f"more {more!r}: give a tuple of observables")
        own = [o.name for o in more]
        if len(set(own)) < len(own):
            raise ValueError(f"more: {', '.join(own)}: two observables have the same name")
        flow = next((o.flow for o in more if isinstance(o, Flowed)), None)
        self._flow = flow
        self._along = tuple(isinstance(o, Flowed) and o.flow is flow for o in more)
        self._more = self._with(None, more)

    @property
    def more(self) -> tuple[Observable, ...]:
        """Further observables than the theory's own."""
        return self._with(self._flow, self._more)

    def _with(self, flow: Flow | None, more: tuple[Observable, ...]) -> tuple[Observable, ...]:
        return tuple(replace(o, flow=flow) if along else o for o, along in zip(more, self._along))

    def __call__(
        self, theory: Theory, x: Shaped[Array, "chain ..."], index: Int[Array, ""]
    ) -> Measured:
        """What is measured of a draw of all chains, `index` draws after their start."""
        wanted = (*theory.leading, *(self.names or ()), *(o.name for o in self.more))

        def measure(x: Shaped[Array, "chain ..."], more: tuple[Observable, ...]) -> Measured:
            found = jax.vmap(lambda x: theory.measure(x, more))(x)
            for name in self.names or ():
                if name not in (*found, *(o.name for o in self.more)):
                    known = ", ".join(found)
                    raise ValueError(f"names: {theory.name} has no {name}; choose of {known}")
            return {n: v for n, v in found.items() if self.names is None or n in wanted}

        def dear(x: Shaped[Array, "chain ..."]) -> Measured:
            found = measure(x, self.more)
            return {n: v.astype(float) for n, v in found.items() if self.is_dear(theory, n)}

        if self.every == 1:
            return measure(x, self.more)
        nothing = jax.tree.map(lambda v: jnp.full(v.shape, jnp.nan), jax.eval_shape(dear, x))
        due = (index + 1) % self.every == 0
        always = {n: v for n, v in measure(x, ()).items() if not self.is_dear(theory, n)}
        return always | jax.lax.cond(due, dear, lambda _: nothing, x)

    def is_dear(self, theory: Theory, name: str) -> bool:
        """Whether an observable is left out between the draws on which all are measured."""
        return self.every > 1 and name not in (*theory.leading, Action.name)

    def draws_between(self, theory: Theory, name: str) -> int:
        """Draws from one measurement of an observable to the next."""
        return self.every if self.is_dear(theory, name) else 1

    def kept(
        self, theory: Theory, observables: Mapping[str, np.ndarray], first: int
    ) -> dict[str, np.ndarray]:
        """The draws on which each observable was measured, [chain, measured draw, ...].

        Args:
            theory: what was measured.
            observables: of shape [chain, draw, ...], NaN where a dear observable was not measured.
            first: the index of the first of these draws.
        """
        due = due_draws(first, self.every)
        return {n: v[:, due] if self.is_dear(theory, n) else v for n, v in observables.items()}


def due_draws(first: int, every: int) -> slice:
    """Of draws of which one is the `first`, those that are the `every`-th since the start."""
    return slice(-(first + 1) % every, None, every)


OWN = Measurement()
"""The theory's own observables, on every draw."""
