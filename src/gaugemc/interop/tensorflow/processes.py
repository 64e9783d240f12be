"""What trains together: here one process alone, which gives back what it is given."""

from collections.abc import Sequence

import tensorflow as tf

from gaugemc.interop.processes import Alone


class Processes(Alone):
    """One process alone. The kinds of several, each a file beside this one, are subclasses."""

    def means(self, tensors: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        """The means over the processes, in a graph."""
        return tensors

    def all_of(self, chains: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        """The states of the chains of all processes."""
        return chains
