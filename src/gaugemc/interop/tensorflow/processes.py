"""What trains together: here one process alone, which gives back what it is given."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import tensorflow as tf
from jaxtyping import PyTree

from gaugemc.training.share import WHOLE, Share


class Processes:
    """One process alone. The kinds of several, each a file beside this one, are subclasses."""

    share: Share = WHOLE
    """This process's share of every batch."""

    def heard(self) -> AbstractContextManager[None]:
        """Inside, errors of communication become a ConnectionError."""
        return nullcontext()

    def agreed(self, tree: PyTree) -> PyTree:
        """The tree of process 0, in all of them: elsewhere what is no array counts alone."""
        return tree

    def means(self, tensors: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        """The means over the processes, in a graph."""
        return tensors

    def all_of(self, chains: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        """The states of the chains of all processes."""
        return chains


@contextmanager
def alone() -> Iterator[Processes]:
    """One process."""
    yield Processes()
