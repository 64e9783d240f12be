"""What trains together: here one process alone, which gives back what it is given."""

import torch
from jaxtyping import PyTree
from torch import nn

from gaugemc.interop.processes import Alone
from gaugemc.interop.torch.adam import TorchAdam
from gaugemc.interop.torch.loss import Loss
from gaugemc.training.schedule import Descent


class Processes(Alone):
    """One process alone. The kinds of several, each a file beside this one, are subclasses."""

    def prepared(self, loss: Loss, descent: Descent, state: PyTree) -> tuple[nn.Module, TorchAdam]:
        """The loss, and what makes its gradients, means over the processes, and steps."""
        return loss, TorchAdam(loss.model.in_order(), descent, state)

    def mean(self, loss: torch.Tensor) -> torch.Tensor:
        """The loss of the whole batch, the mean over the processes."""
        return loss

    def all_of(self, chains: PyTree) -> PyTree:
        """The states of the chains of all processes, of tensors."""
        return chains
