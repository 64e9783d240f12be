"""Horovod averages the gradients: `backend=horovod`."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import horovod.torch as hvd
import jax
import torch
from horovod.common.exceptions import HorovodInternalError
from jaxtyping import PyTree
from torch import nn

from gaugemc.interop import processes
from gaugemc.interop.torch.adam import TorchAdam
from gaugemc.interop.torch.loss import Loss
from gaugemc.interop.torch.processes import Processes
from gaugemc.training.schedule import Descent
from gaugemc.training.share import Share


class Horovod(Processes):
    """The processes that horovodrun started."""

    def __init__(self) -> None:
        self.share = Share(hvd.rank(), hvd.size())

    def heard(self) -> AbstractContextManager[None]:
        return processes.heard(HorovodInternalError)

    def agreed(self, tree: PyTree) -> PyTree:
        # Horovod's own name is that of the type, which only process 0 knows.
        sent = partial(hvd.broadcast_object, root_rank=0, name="state")
        with self.heard():
            return processes.agreed(tree, sent)

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
    """Inside, the processes that horovodrun started are one training; without it, this one alone.

    Raises:
        ConnectionError: they do not find each other, or are not of the same version.
    """
    os.environ.setdefault("HOROVOD_STALL_CHECK_DISABLE", "1")  # process 0 measures, others wait
    with processes.heard(HorovodInternalError, RuntimeError, what="cannot start"):
        hvd.init()  # ends with the process
        own = f"{processes.VERSION}, torch {torch.__version__}"
        versions = hvd.allgather_object(own)
    processes.same_versions(versions)
    yield Horovod()
