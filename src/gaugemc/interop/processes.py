"""What frameworks have in common where several processes train together."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

import gaugemc
from gaugemc.choices import frameworks

VERSION = f"gaugemc {gaugemc.__version__}, jax {jax.__version__}"
"""Equal in all processes."""


def same_versions(versions: list[str]) -> None:
    """Raise ConnectionError unless all processes are of the version of process 0."""
    for number, version in enumerate(versions):
        if version != versions[0]:
            raise ConnectionError(
                f"process {number} has {version}, process 0 {versions[0]}: install the same"
            )


def agreed(tree: PyTree, sent: Callable[[Any], Any]) -> PyTree:
    """The tree of process 0, in all of them: elsewhere what is no array counts alone.

    Args:
        tree: of one structure in all processes.
        sent: gives all processes the object of process 0.
    """
    arrays, code = eqx.partition(tree, eqx.is_array)
    leaves, structure = jax.tree.flatten(arrays)
    found = sent(jax.device_get(leaves) if frameworks.rank() == 0 else None)
    return eqx.combine(jax.tree.unflatten(structure, map(jnp.asarray, found)), code)


@contextmanager
def heard(*errors: type[Exception], what: str = "cannot go on", where: str = "") -> Iterator[None]:
    """Errors of communication, which say little, in one line."""
    try:
        yield
    except errors as error:
        reason = " ".join(str(error).split("\n")[0].split())
        raise ConnectionError(
            f"training {what} with {frameworks.processes()} processes{where and f' ({where})'}:"
            f" a process has ended, or cannot be reached: {reason}"
        ) from error
