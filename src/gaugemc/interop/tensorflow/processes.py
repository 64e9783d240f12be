"""What trains together: here one process alone, which gives back what it is given."""

from collections.abc import Callable, Sequence

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


def by_type(
    tensors: Sequence[tf.Tensor], means: Callable[[list[tf.Tensor]], Sequence[tf.Tensor]]
) -> Sequence[tf.Tensor]:
    """The means of tensors, which are sent in groups that each have one type."""
    found = list(tensors)
    for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
        at = [i for i, tensor in enumerate(tensors) if tensor.dtype == dtype]
        for i, mean in zip(at, means([tensors[i] for i in at]), strict=True):
            found[i] = mean
    return found
