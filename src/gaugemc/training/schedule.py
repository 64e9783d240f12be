"""Schedules: the coupling and the learning rate as functions of the training step."""

from typing import Literal

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

Annealing = Literal["none", "linear", "eras"]


class BetaSchedule:
    """beta(step): constant, rising linearly, or rising in `eras` equal steps.

    Starts at `start * beta` and reaches beta after `fraction` of all steps.
    """

    def __init__(
        self,
        beta: float,
        steps: int,
        annealing: Annealing = "linear",
        start: float = 0.2,
        fraction: float = 0.5,
        eras: int = 4,
    ):
        self._parameters = (beta, steps, annealing, start, fraction, eras)

    def __call__(self, step: Int[Array, ""]) -> Float[Array, ""]:
        beta, steps, annealing, start, fraction, eras = self._parameters
        done = jnp.clip(step / max(1.0, fraction * steps), 0.0, 1.0)
        if annealing == "none":
            done = jnp.ones_like(done)
        elif annealing == "eras":
            done = jnp.minimum(jnp.floor(done * eras) / max(1, eras - 1), 1.0)
        return beta * (start + (1 - start) * done)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BetaSchedule) and self._parameters == other._parameters

    def __hash__(self) -> int:
        return hash(self._parameters)


def optimiser(
    learning_rate: float,
    steps: int,
    *,
    schedule: Literal["constant", "cosine"] = "cosine",
    warmup: int = 100,
    clip: float = 1.0,
    beta2: float = 0.99,
) -> optax.GradientTransformation:
    """Adam with gradient clipping by global norm, warm-up, and a constant or cosine rate."""
    return optax.chain(
        optax.clip_by_global_norm(clip),
        optax.adam(learning_rates(learning_rate, steps, schedule, warmup), b2=beta2),
    )


def learning_rates(
    learning_rate: float, steps: int, schedule: Literal["constant", "cosine"], warmup: int
) -> optax.Schedule:
    """The learning rate by step: linear warm-up, then constant or a cosine down to 1 %."""
    warmup = min(warmup, steps // 2)
    if schedule == "constant":
        return optax.join_schedules(
            [
                optax.linear_schedule(learning_rate / 100, learning_rate, max(1, warmup)),
                optax.constant_schedule(learning_rate),
            ],
            [warmup],
        )
    return optax.warmup_cosine_decay_schedule(
        learning_rate / 100, learning_rate, warmup, max(steps, warmup + 1), learning_rate / 100
    )
