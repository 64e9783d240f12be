"""Schedules: the coupling and the learning rate as functions of the training step."""

import functools
import math
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree
from optax.contrib import reduce_on_plateau

from gaugemc.arrays import Scalar

Annealing = Literal["none", "linear", "eras"]
ANNEALINGS: tuple[Annealing, ...] = ("none", "linear", "eras")
Rates = Literal["constant", "cosine", "plateau"]
RATES: tuple[Rates, ...] = ("constant", "cosine", "plateau")

SMALLEST_RATE = 0.01
"""The last learning rate of cosine and plateau, as a fraction of the largest."""


class BetaSchedule(eqx.Module):
    """beta(step): constant, rising linearly, or rising in `eras` equal steps.

    The schedule starts at `start * beta` and reaches beta after `fraction` of all steps. beta is
    data: another one compiles nothing anew.
    """

    beta: Scalar = eqx.field(converter=jnp.asarray)
    steps: int
    annealing: Annealing = "linear"
    start: float = 0.2
    fraction: float = 0.5
    eras: int = 4

    @property
    def settled(self) -> int:
        """The first step from which on beta stands still."""
        return 0 if self.annealing == "none" else math.ceil(self.fraction * self.steps)

    def __call__(self, step: Int[Array, ""]) -> Float[Array, ""]:
        done = jnp.clip(step / max(1.0, self.fraction * self.steps), 0.0, 1.0)
        if self.annealing == "none":
            done = jnp.ones_like(done)
        elif self.annealing == "eras":
            done = jnp.minimum(jnp.floor(done * self.eras) / max(1, self.eras - 1), 1.0)
        return self.beta * (self.start + (1 - self.start) * done)


class Plateau(NamedTuple):
    """The rule by which the learning rate falls when the loss has stopped falling."""

    factor: float = 0.5
    """The factor of the learning rate after each plateau."""
    window: int = 20
    """Losses of so many steps are averaged, as the loss of one step is noise."""
    patience: int = 10
    """So many windows without a new smallest average are a plateau."""
    start: int = 0
    """The first step that counts. While beta rises the loss changes with it, plateau or not."""


class PlateauState(NamedTuple):
    """What the plateau schedule remembers; it is saved with the optimiser's state."""

    step: Int[Array, ""]
    seen: Any
    """The state of optax.contrib.reduce_on_plateau."""


class Descent(NamedTuple):
    """The arguments of `optimiser`, for loops of other frameworks."""

    learning_rate: float
    steps: int
    schedule: Rates = "cosine"
    warmup: int = 100
    clip: float = 1.0
    beta2: float = 0.99
    plateau: Plateau = Plateau()
    adam: bool = True

    @property
    def in_jax(self) -> optax.GradientTransformationExtraArgs:
        """The optimiser of JAX."""
        return optimiser(**self._asdict())

    @property
    def rates(self) -> optax.Schedule:
        """The learning rate by step, before plateaus."""
        return learning_rates(self.learning_rate, self.steps, self.schedule, self.warmup)

    @property
    def plateaus(self) -> optax.GradientTransformationExtraArgs | None:
        """What makes updates smaller after plateaus; None with other schedules."""
        if self.schedule != "plateau":
            return None
        return on_plateaus(self.plateau._replace(start=max(self.plateau.start, self.warmup)))


def usual_rate(steps: int) -> float:
    """The largest learning rate of a training of so many steps, where none is given.

    Where gradients are mostly noise, Adam moves each of n parameters at random by about the rate r:
    their norm grows by r sqrt(n steps), and maps grow steep. So r^2 steps is bounded.
    """
    return 3e-3 * min(1.0, math.sqrt(2000 / steps))


@functools.cache  # the compiled training step is known by its optimiser
def optimiser(
    learning_rate: float,
    steps: int,
    *,
    schedule: Rates = "cosine",
    warmup: int = 100,
    clip: float = 1.0,
    beta2: float = 0.99,
    plateau: Plateau = Plateau(),  # noqa: B008
    adam: bool = True,
) -> optax.GradientTransformationExtraArgs:
    """Adam with gradient clipping by global norm, warm-up, and a schedule of the learning rate.

    Without `adam`, plain descent: for gradients that are steps already, as of `EnergyError`.
    `update` needs the loss as `value` where the schedule is "plateau".
    """
    descent = Descent(learning_rate, steps, schedule, warmup, clip, beta2, plateau, adam)
    parts = [optax.sgd(descent.rates)]
    if adam:
        parts = [optax.clip_by_global_norm(clip), optax.adam(descent.rates, b2=beta2)]
    if descent.plateaus is not None:
        parts.append(descent.plateaus)
    return optax.with_extra_args_support(optax.chain(*parts))


def on_plateaus(plateau: Plateau) -> optax.GradientTransformationExtraArgs:
    """Smaller updates after each plateau of the losses that `update` is given as `value`."""
    inner = reduce_on_plateau(
        plateau.factor,
        plateau.patience,
        rtol=0.0,  # relative to a loss of any sign it would mean nothing
        atol=1e-12,
        accumulation_size=plateau.window,
        min_scale=SMALLEST_RATE,
    )

    def start(params: PyTree) -> PlateauState:
        return PlateauState(jnp.zeros((), jnp.int32), inner.init(params))

    def update(
        updates: PyTree, state: Any, params: PyTree = None, **extra_args: Any
    ) -> tuple[PyTree, PlateauState]:
        scaled, seen = inner.update(updates, state.seen, params, value=extra_args["value"])
        waiting = state.step < plateau.start
        seen = jax.tree.map(lambda old, new: jnp.where(waiting, old, new), state.seen, seen)
        return scaled, PlateauState(state.step + 1, seen)

    return optax.GradientTransformationExtraArgs(start, update)


def plateau_scale(optimiser_state: PyTree) -> float:
    """The product of all factors of plateaus so far; 1 with other schedules."""
    found = jax.tree.leaves(optimiser_state, is_leaf=lambda s: isinstance(s, PlateauState))
    return next((float(s.seen.scale) for s in found if isinstance(s, PlateauState)), 1.0)


def learning_rates(
    learning_rate: float, steps: int, schedule: Rates, warmup: int
) -> optax.Schedule:
    """The learning rate by step, before plateaus: linear warm-up, then constant or a cosine."""
    warmup = min(warmup, steps // 2)
    if schedule != "cosine":
        return optax.join_schedules(
            [
                optax.linear_schedule(learning_rate / 100, learning_rate, max(1, warmup)),
                optax.constant_schedule(learning_rate),
            ],
            [warmup],
        )
    return optax.warmup_cosine_decay_schedule(
        learning_rate / 100,
        learning_rate,
        warmup,
        max(steps, warmup + 1),
        SMALLEST_RATE * learning_rate,
    )
