"""What trains together: here one process alone, which gives back what it is given."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from jaxtyping import PyTree
from torch import nn

from gaugemc.interop.torch.adam import TorchAdam
from gaugemc.interop.torch.loss import Loss
from gaugemc.training.schedule import Descent
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

    def prepared(self, loss: Loss, descent: Descent, state: PyTree) -> tuple[nn.Module, TorchAdam]:
        """The loss, and what makes its gradients, means over the processes, and steps."""
        return loss, TorchAdam(loss.model.in_order(), descent, state)

    def mean(self, loss: torch.Tensor) -> torch.Tensor:
        """The loss of the whole batch, the mean over the processes."""
        return loss

    def all_of(self, chains: PyTree) -> PyTree:
        """The states of the chains of all processes, of tensors."""
        return chains


@contextmanager
def alone() -> Iterator[Processes]:
    """One process."""
    yield Processes()
