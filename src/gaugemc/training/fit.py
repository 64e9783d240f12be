"""Training a flow on a theory in one call, with the loop that runs use."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key

from gaugemc.flows import Flow
from gaugemc.samplers.progress import progress_bar
from gaugemc.theories import Wilson
from gaugemc.training.objective import ReverseKL
from gaugemc.training.schedule import Annealing, BetaSchedule, optimiser
from gaugemc.training.train import Metrics, start_training, train


class Fit(NamedTuple):
    """A trained flow, and what each step of its training reported."""

    flow: Flow
    metrics: Metrics


def fit(
    flow: Flow,
    theory: Wilson,
    key: Key[Array, ""],
    *,
    steps: int = 1000,
    batch: int = 64,
    learning_rate: float = 3e-3,
    annealing: Annealing = "linear",
    chunk: int = 50,
    progress: bool = False,
) -> Fit:
    """Minimise the reverse KL divergence of a flow to a theory (2112.01586, Eq. 4).

    Adam with warm-up and a cosine learning rate; beta rises from a fifth of the theory's over the
    first half of the steps, unless annealing is "none". Step i depends on the key, i and the state
    before it alone.

    Args:
        flow: the flow to start from; it is not changed.
        theory: the target.
        key: the one source of randomness.
        steps: gradient steps.
        batch: configurations in each step.
        learning_rate: the largest learning rate.
        annealing: how beta rises: none, linear or eras.
        chunk: steps compiled into one call.
        progress: show a progress bar on stderr.

    Returns:
        The trained flow, and loss and gradient norm of shape [step]. With annealing, the loss is
        that of the step's own beta.

    Raises:
        ValueError: steps is less than 1.
        TrainingDivergedError: the loss or the gradient is no longer finite.
    """
    if steps < 1:
        raise ValueError(f"steps {steps}: must be at least 1")
    optimise = optimiser(learning_rate, steps)
    state = start_training(flow, optimise)
    objective = ReverseKL(theory, batch, BetaSchedule(theory.beta, steps, annealing))
    parts: list[Metrics] = []
    with progress_bar("training", steps, progress) as report:
        for state, metrics in train(objective, optimise, state, key, steps, chunk):
            parts.append(metrics)
            report(int(state.step), f"loss {metrics.loss.mean():.2f}")
    return Fit(state.model, jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts))
