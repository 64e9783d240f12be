"""A trained sampler's force and flow as a SavedModel, which needs neither gaugemc nor JAX."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import tensorflow as tf
from jax.experimental import jax2tf

from gaugemc.choices.build import without_kernels
from gaugemc.theories import Pullback, Theory


def export(theory: Theory, path: Path | str) -> None:
    """Write the functions of a theory that trajectories need, for `tf.saved_model.load`.

    The loaded object has `action(x)` of shape [chain] and `force(x)` of shape [chain, ...], for a
    batch [chain, ...] of fields of any length. Where the theory is pulled back by a flow, x are the
    flow's variables, and `forward(x)` returns the links or vectors, and the logs of the Jacobian
    determinants [chain]. The functions run on the kind of device that JAX has here. Inverses are
    not written: they raise errors where they do not converge, which no SavedModel can.

    Args:
        theory: `sampler.theory` of HMC, or `theory.pullback(flow)` of a flow.
        path: a directory, which is made.

    Raises:
        ValueError: a function calls LAPACK, which TensorFlow cannot (that of a stout flow does).
    """
    plain = without_kernels(theory)
    functions = {"action": plain.action, "force": plain.force}
    if isinstance(plain, Pullback):
        functions["forward"] = plain.flow.forward
    fields = tf.TensorSpec([None, *theory.space.field_shape], theory.space.field_dtype)
    module = tf.Module()
    for name, function in functions.items():
        if "lapack" in jax.jit(lambda x, f=function: f(x)).lower(theory.space.origin()).as_text():
            raise ValueError(f"{name} calls LAPACK, which TensorFlow cannot")
        setattr(module, name, _graph(function, fields))
    tf.saved_model.save(module, str(path))


def _graph(
    function: Callable[..., Any], fields: tf.TensorSpec
) -> tf.types.experimental.GenericFunction:
    """A function of one field as a graph for batches."""
    of_batch = jax2tf.convert(
        jax.vmap(function), polymorphic_shapes=["chain, ..."], with_gradient=False
    )
    return tf.function(of_batch, input_signature=[fields], autograph=False)
