"""The one training loop: an objective, a model, an optimiser; compiled chunks of steps."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int, Key, PyTree

from gaugemc.mesh import averaged, here, mesh_for
from gaugemc.training.growth import GrowingBatch
from gaugemc.training.share import Share, can_share, shared

Model = TypeVar("Model")
Objective = Callable[[Model, Key[Array, ""], Int[Array, ""]], Float[Array, ""]]
ChainObjective = Callable[
    [Model, Key[Array, ""], Int[Array, ""], PyTree], tuple[Float[Array, ""], PyTree]
]
"""An objective with Markov chains: a call takes their states, and returns later states."""


class TrainingState(NamedTuple):
    """All that training needs to go on: from a saved and restored state the future is the same."""

    model: PyTree
    optimiser: PyTree
    step: Int[Array, ""]
    chains: PyTree = None
    """The states of the chains of a ChainObjective; None for an Objective."""


class Metrics(NamedTuple):
    """What each step of a chunk reports, as NumPy arrays [step]."""

    loss: np.ndarray
    gradient_norm: np.ndarray


class TrainingDivergedError(RuntimeError):
    """The loss or the gradient is no longer finite."""


def start_training(
    model: PyTree, optimiser: optax.GradientTransformation, chains: PyTree = None
) -> TrainingState:
    """The state before the first step; `chains` are the states that a ChainObjective needs."""
    parameters = eqx.filter(model, eqx.is_inexact_array)
    return TrainingState(model, optimiser.init(parameters), jnp.zeros((), jnp.int32), chains)


def loss_at(
    objective: Objective | ChainObjective,
    model: PyTree,
    key: Key[Array, ""],
    step: Int[Array, ""],
    chains: PyTree = None,
) -> tuple[Float[Array, ""], PyTree]:
    """The loss of a training step, and the states of the chains after it (None without chains).

    Step i has the key fold_in(key, i).
    """
    step_key = jax.random.fold_in(key, step)
    if chains is None:
        return cast(Objective, objective)(model, step_key, step), None
    return cast(ChainObjective, objective)(model, step_key, step, chains)


@eqx.filter_jit
def advance(
    objective: Objective | ChainObjective,
    optimiser: optax.GradientTransformationExtraArgs,
    state: TrainingState,
    key: Key[Array, ""],
    length: int,
    mesh: Mesh | None = None,
) -> tuple[TrainingState, Metrics]:
    """A chunk of so many steps: the later state, and the metrics as arrays [step].

    The devices of a mesh share each batch.
    """
    arrays, static = eqx.partition(state.model, eqx.is_inexact_array)

    def part(
        objective: Objective | ChainObjective, given: tuple[PyTree, Int[Array, ""]], chains: PyTree
    ) -> tuple[tuple[Float[Array, ""], PyTree], PyTree]:
        parameters, index = given

        def loss_of(parameters: PyTree) -> tuple[Float[Array, ""], PyTree]:
            return loss_at(objective, eqx.combine(parameters, static), key, index, chains)

        (loss, moved), gradient = jax.value_and_grad(loss_of, has_aux=True)(parameters)
        return (loss, gradient), moved

    def part_of(device: Int[Array, ""], *given: PyTree) -> tuple[PyTree, PyTree]:
        assert mesh is not None
        return part(shared(objective, Share(device, mesh.size)), *given)

    whole = functools.partial(part, objective) if mesh is None else averaged(mesh, part_of)

    def step(carry: tuple[PyTree, PyTree, Int[Array, ""], PyTree], _: None):
        parameters, optimiser_state, index, chains = carry
        (loss, gradient), moved = whole((parameters, index), chains)
        updates, optimiser_state = optimiser.update(
            gradient, optimiser_state, parameters, value=loss
        )
        parameters = optax.apply_updates(parameters, updates)
        metrics = Metrics(loss, optax.tree.norm(gradient))  # pyright: ignore[reportArgumentType]
        return (parameters, optimiser_state, index + 1, moved), metrics

    start = (arrays, state.optimiser, state.step, state.chains)
    (arrays, optimiser_state, index, chains), metrics = jax.lax.scan(step, start, None, length)
    return TrainingState(eqx.combine(arrays, static), optimiser_state, index, chains), metrics


def train(
    objective: Objective | ChainObjective | GrowingBatch,
    optimiser: optax.GradientTransformationExtraArgs,
    state: TrainingState,
    key: Key[Array, ""],
    steps: int,
    chunk: int,
    devices: Sequence[Any] = (),
) -> Iterator[tuple[TrainingState, Metrics]]:
    """Train up to `steps` steps in all, in chunks; yields the state and metrics after each.

    A chunk has `chunk` steps, or ends where a `GrowingBatch` grows.

    Step i depends only on the key, i and the state before the step. So a run that is stopped after
    any chunk and continued from its state is the same run.

    Devices share each batch equally: losses are those of one device, to rounding. An objective
    whose batch cannot be shared trains on one, and in each process alike.

    Raises:
        ValueError: the devices cannot share the batch equally.
        TrainingDivergedError: with the first step whose loss or gradient is not finite.
    """
    done = int(state.step)
    while done < steps:
        now, end = objective.at(done) if isinstance(objective, GrowingBatch) else (objective, steps)
        length = min(chunk, steps - done, end - done)
        mesh = mesh_for(devices) if devices and can_share(now) else None
        check_shares(now, state.chains, mesh)
        state, metrics = here(advance(now, optimiser, state, key, length, mesh))
        metrics = jax.device_get(metrics)
        check_metrics(metrics, done)
        done += length
        yield state, metrics


def check_shares(objective: Any, chains: PyTree, mesh: Mesh | None) -> None:
    """Raise ValueError unless the devices of the mesh can share the batch equally."""
    if mesh is None:
        return
    batch = objective.batch if chains is None else len(jax.tree.leaves(chains)[0])
    if batch % mesh.size:
        raise ValueError(f"batch {batch}: {mesh.size} devices cannot share it equally")


def check_metrics(metrics: Metrics, first: int) -> None:
    """Raise TrainingDivergedError unless all numbers of the steps from `first` on are finite."""
    bad = ~(np.isfinite(metrics.loss) & np.isfinite(metrics.gradient_norm))
    if bad.any():
        raise TrainingDivergedError(
            f"training diverged at step {first + int(bad.argmax())}: the loss is not finite;"
            " try a smaller training.learning_rate, a longer training.warmup or more annealing"
        )
