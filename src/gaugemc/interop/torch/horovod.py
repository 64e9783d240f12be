"""Horovod averages the gradients: `backend=horovod`."""

from collections.abc import Iterator
from contextlib import contextmanager

import horovod.torch as hvd
import jax
import torch
from horovod.common.exceptions import HorovodInternalError
from jaxtyping import PyTree
from torch import nn

from gaugemc.interop.horovod import Workers, started
from gaugemc.interop.torch.adam import TorchAdam
from gaugemc.interop.torch.loss import Loss
from gaugemc.interop.torch.processes import Processes
from gaugemc.training.schedule import Descent


class Horovod(Workers, Processes):
    """The processes that horovodrun started."""

    hvd = hvd
    errors = (HorovodInternalError,)

    def prepared(self, loss: Loss, descent: Descent, state: PyTree) -> tuple[nn.Module, TorchAdam]:
        return loss, AveragingAdam(loss.model.in_order(), descent, state)

    def mean(self, loss: torch.Tensor) -> torch.Tensor:
        return hvd.allreduce(loss, name="loss")

    def all_of(self, chains: PyTree) -> PyTree:
        with self.heard():
            return jax.tree.map(hvd.allgather, chains)


class AveragingAdam(TorchAdam):
    """PyTorch's Adam with gradients that are means over the processes."""

    def backward(self, loss: torch.Tensor) -> None:
        super().backward(loss)
        # All come at once, from one call of JAX: nothing would be gained by sending some early.
        gradients = [parameter.grad for parameter in self.parameters]
        hvd.grouped_allreduce_(gradients, name="gradients", op=hvd.Average)


@contextmanager
def together() -> Iterator[Horovod]:
    """Inside, the processes that horovodrun started are one training; see `started`."""
    with started(hvd):
        yield Horovod()
