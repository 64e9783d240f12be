"""What frameworks have in common where several processes train together."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from gaugemc.choices import frameworks
from gaugemc.run.processes import first_line
from gaugemc.training.share import WHOLE, Share


class Alone:
    """One process, which gives back what it is given. The kinds of several are subclasses."""

    share: Share = WHOLE
    """This process's share of every batch."""

    def heard(self) -> AbstractContextManager[None]:
        """Inside, errors of communication become a ConnectionError."""
        return nullcontext()

    def gathered(self, own: Any) -> list[Any]:
        """The objects of all processes, in their order."""
        return [own]

    def agreed(self, tree: PyTree) -> PyTree:
        """The tree of process 0, in all of them: elsewhere what is no array counts alone."""
        return tree


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
        raise ConnectionError(
            f"training {what} with {frameworks.processes()} processes{where and f' ({where})'}:"
            f" a process has ended, or cannot be reached: {first_line(error)}"
        ) from error
