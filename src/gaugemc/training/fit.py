"""Training a flow or a leapfrog on a theory in one call, with the loop that runs use."""

import math
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Key, PyTree

from gaugemc.chains.progress import progress_bar
from gaugemc.flows import Flow
from gaugemc.samplers import GeneralisedLeapfrog
from gaugemc.spaces import Links, is_u1_2d
from gaugemc.theories import Theory
from gaugemc.theories.theory import check_flow
from gaugemc.training.energy_error import EnergyError
from gaugemc.training.jump import ChargeJump, DistanceJump, ExpectedJump, Jump, PlaquetteJump
from gaugemc.training.noise import noise_watch
from gaugemc.training.objective import ReverseKL
from gaugemc.training.schedule import ANNEALINGS, Annealing, BetaSchedule, optimiser, usual_rate
from gaugemc.training.train import ChainObjective, Metrics, Objective, start_training, train

CLIP = 1.0
"""The largest norm of the gradient."""


class Fit(NamedTuple):
    """A trained flow or leapfrog, and what each step of its training reported."""

    model: PyTree
    metrics: Metrics


class TrainingWarning(UserWarning):
    """Training has gone wrong without an end: what it made is exact, but not good."""


def fit(
    model: PyTree,
    theory: Theory,
    key: Key[Array, ""],
    *,
    steps: int = 1000,
    batch: int = 64,
    learning_rate: float | None = None,
    annealing: Annealing = "linear",
    jumps: Sequence[Jump] | None = None,
    chunk: int = 50,
    devices: Sequence[Any] = (),
    progress: bool = False,
) -> Fit:
    """Train a flow by its reverse KL divergence, a leapfrog of L2HMC by its expected jumps.

    For flows 2112.01586, Eq. 4; for leapfrogs 1711.09268 in the form "plain". A leapfrog that keeps
    its length is trained for small energy errors instead (`EnergyError`), unless jumps are given.
    Adam with warm-up, a cosine learning rate and gradients clipped at 1. The theory is annealed,
    `theory.at(beta)`: beta rises from a fifth of its own over the first half of the steps, unless
    annealing is "none"; a theory without a beta is tempered. Energy errors are of one beta. Step i
    depends on the key, i and the state before it alone.

    Args:
        model: the flow or the leapfrog to start from; it is not changed.
        theory: the target, on any space that the model fits.
        key: the one source of randomness.
        steps: gradient steps.
        batch: configurations, or chains of a leapfrog, in each step.
        learning_rate: the largest learning rate; by default 0.003 (after 2000 steps 0.003
            sqrt(2000 / steps)), or 0.7 of the steps of `EnergyError`.
        annealing: how beta rises: none, linear or eras.
        jumps: what a leapfrog maximises; by default `usual_jumps(theory)`.
        chunk: steps compiled into one call.
        devices: devices that share each batch equally; by default one. Energy errors need whole
            batches, and are trained on one.
        progress: show a progress bar on stderr.

    Returns:
        The trained model, and loss and gradient norm of shape [step]. With annealing, the loss is
        that of the step's own beta.

    Raises:
        TypeError: the model is neither a flow nor a leapfrog.
        ValueError: a number or the annealing cannot be used, the model does not fit the theory's
            space, the jumps do not, or the devices cannot share the batch equally.
        TrainingDivergedError: the loss or the gradient is no longer finite.

    Warns:
        TrainingWarning: gradients have become noise; measure the model before you use it.
    """
    for name, value in (("steps", steps), ("batch", batch)):
        if value < 1:
            raise ValueError(f"{name} {value}: must be at least 1")
    natural = _by_energy(model, jumps)
    if learning_rate is None:
        learning_rate = 0.7 if natural else usual_rate(steps)
    if not 0 < learning_rate < math.inf:
        raise ValueError(f"learning_rate {learning_rate}: must be positive and finite")
    if annealing not in ANNEALINGS:
        raise ValueError(f"annealing {annealing!r}: choose {', '.join(ANNEALINGS)}")
    beta = BetaSchedule(theory.own_beta, steps, annealing)
    objective, chains = _objective(model, theory, key, steps, batch, beta, jumps)
    warmup = 30 if natural else 100
    optimise = optimiser(learning_rate, steps, clip=CLIP, warmup=warmup, adam=not natural)
    state = start_training(model, optimise, chains)
    watch = noise_watch(steps, math.inf if natural else CLIP)
    parts: list[Metrics] = []
    with progress_bar("training", steps, progress) as report:
        for state, metrics in train(objective, optimise, state, key, steps, chunk, devices):
            parts.append(metrics)
            watch = watch.after(metrics.gradient_norm)
            report(int(state.step), f"loss {metrics.loss.mean():.2f}")
    if watch.warning is not None:
        warnings.warn(watch.warning, TrainingWarning, stacklevel=2)
    return Fit(state.model, jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts))


def usual_jumps(theory: Theory) -> tuple[Jump, ...]:
    """The jumps that suit a space: of charge and plaquettes where links have a charge, of
    plaquettes for other links, of the distance for vectors."""
    if not isinstance(theory.space, Links):
        return (DistanceJump(),)
    return (ChargeJump(), PlaquetteJump()) if is_u1_2d(theory.space) else (PlaquetteJump(),)


def _objective(
    model: Any,
    theory: Theory,
    key: Key[Array, ""],
    steps: int,
    batch: int,
    beta: BetaSchedule,
    jumps: Sequence[Jump] | None,
) -> tuple[Objective | ChainObjective, PyTree]:
    """What is minimised, and the chains that it needs."""
    if isinstance(model, GeneralisedLeapfrog):
        model.check_space(theory.space)
        if _by_energy(model, jumps):
            by_energy = EnergyError(theory)
            return by_energy, by_energy.start(model, jax.random.fold_in(key, steps), batch)
        chosen = usual_jumps(theory) if jumps is None else tuple(jumps)
        expected = ExpectedJump(theory, chosen, form="plain", beta=beta)
        after = jax.random.fold_in(key, steps)  # steps have the keys before
        return expected, expected.start(model, after, batch)
    if not isinstance(model, Flow):
        raise TypeError(
            f"fit trains a flow or the leapfrog of an L2HMC sampler, not {type(model).__name__}:"
            " give it what vector_flow, gauge_flow or trainable_leapfrog makes"
        )
    if jumps is not None:
        raise ValueError("jumps: they are for a leapfrog; a flow is trained by its divergence")
    _check_fit(model, theory)
    return ReverseKL(theory, batch, beta), None


def _by_energy(model: Any, jumps: Sequence[Jump] | None) -> bool:
    """Whether a leapfrog is trained for small energy errors."""
    return isinstance(model, GeneralisedLeapfrog) and model.length is not None and jumps is None


def _check_fit(flow: Flow, theory: Theory) -> None:
    """Raise ValueError unless the flow maps the theory's space to itself."""
    check_flow(flow, theory.space)
    shape = theory.space.field_shape
    try:
        x, _ = eqx.filter_eval_shape(flow.forward, theory.space.origin())
    except (TypeError, ValueError, IndexError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"flow: does not fit {theory.name} with fields of shape {list(shape)}: {reason}"
        ) from error
    if x.shape != shape:
        raise ValueError(f"flow: makes fields of shape {list(x.shape)} of those of {list(shape)}")
