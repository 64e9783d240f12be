"""A model and its loss as functions of the model's trained arrays, which a framework owns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, PyTree

from gaugemc.training.train import ChainObjective, Objective, loss_at

LossOf = Callable[..., tuple[Array, PyTree]]


@dataclass(frozen=True)  # TensorFlow would wrap a tuple
class Leaves:
    """The trained arrays of a model, with the names of their leaves in checkpoints."""

    names: list[str]
    """The leaf `.layers[0].weight` is `layers.0.weight`."""
    arrays: list[Array]
    structure: Any
    fixed: PyTree
    """All of the model that is not trained."""

    def model(self, arrays: Sequence[Array]) -> PyTree:
        """The model with these arrays in place of its own."""
        return eqx.combine(jax.tree.unflatten(self.structure, arrays), self.fixed)


def leaves_of(model: PyTree) -> Leaves:
    """The trained arrays of a model."""
    trained, fixed = eqx.partition(model, eqx.is_inexact_array)
    leaves, structure = jax.tree_util.tree_flatten_with_path(trained)
    paths = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]
    names = [path or "value" for path in paths]  # a model may be a single array
    return Leaves(names, [leaf for _, leaf in leaves], structure, fixed)


def loss_in_leaves(objective: Objective | ChainObjective, leaves: Leaves) -> tuple[PyTree, LossOf]:
    """The numbers in an objective, and its loss: of (arrays, numbers, key, step, chains).

    The loss returns what `loss_at` returns.
    """
    numbers, code = eqx.partition((objective, leaves.fixed), eqx.is_array)

    def loss_of(arrays: list[Array], numbers: PyTree, key: Any, step: Any, chains: PyTree) -> Any:
        objective, fixed = eqx.combine(numbers, code)
        return loss_at(objective, replace(leaves, fixed=fixed).model(arrays), key, step, chains)

    return numbers, loss_of
