"""The processes that torchrun started, with DistributedDataParallel: `backend=ddp`."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any

import jax
import torch
from jaxtyping import PyTree
from torch import distributed, nn

from gaugemc.interop import processes
from gaugemc.interop.torch.adam import TorchAdam
from gaugemc.interop.torch.loss import Loss
from gaugemc.interop.torch.processes import Processes
from gaugemc.training.schedule import Descent
from gaugemc.training.share import Share

PATIENCE = timedelta(days=1)
"""Process 0 measures the quality while the others wait. A process that dies is noticed at once."""

_TRAININGS = itertools.count()
"""Of this process: each finds the others by a name of its own, not by what an earlier one left."""


class Distributed(Processes):
    """Processes of torch.distributed; gradients are averaged by DistributedDataParallel."""

    def __init__(self) -> None:
        self.share = Share(distributed.get_rank(), distributed.get_world_size())

    def heard(self) -> AbstractContextManager[None]:
        return heard()

    def gathered(self, own: Any) -> list[Any]:
        objects = [None] * self.share.parts
        with heard():
            distributed.all_gather_object(objects, own)
        return objects

    def agreed(self, tree: PyTree) -> PyTree:
        def sent(first: Any) -> Any:
            objects = [first]
            distributed.broadcast_object_list(objects)
            return objects[0]

        with heard():
            return processes.agreed(tree, sent)

    def prepared(self, loss: Loss, descent: Descent, state: PyTree) -> tuple[nn.Module, TorchAdam]:
        _, adam = super().prepared(loss, descent, state)
        return nn.parallel.DistributedDataParallel(loss), adam

    def mean(self, loss: torch.Tensor) -> torch.Tensor:
        whole = loss.clone()
        distributed.all_reduce(whole)
        return whole / self.share.parts

    def all_of(self, chains: PyTree) -> PyTree:
        def joined(own: torch.Tensor) -> torch.Tensor:
            parts = [torch.empty_like(own) for _ in range(self.share.parts)]
            distributed.all_gather(parts, own)
            return torch.cat(parts)

        with heard():
            return jax.tree.map(joined, chains)


def heard(what: str = "cannot go on") -> AbstractContextManager[None]:
    """Inside, errors of torch.distributed become a ConnectionError."""
    where = ":".join(os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT"))
    return processes.heard(RuntimeError, what=what, where=where)


@contextmanager
def together(patience: int) -> Iterator[Distributed]:
    """Inside, the processes that torchrun started are one training.

    Args:
        patience: seconds in which all of them must have come; else there is a ConnectionError.
    """
    with joined(patience):
        yield Distributed()


@contextmanager
def joined(
    patience: int, leave: Callable[[], None] = distributed.destroy_process_group
) -> Iterator[None]:
    """Inside, torch.distributed knows the processes; without torchrun, this one alone."""
    with heard("cannot start"):
        store, rank, size = distributed.HashStore(), 0, 1
        if "RANK" in os.environ:
            store, rank, size = next(
                distributed.rendezvous("env://", timeout=timedelta(seconds=patience))
            )
            store.set_timeout(PATIENCE)
        distributed.init_process_group(
            "nccl" if torch.cuda.is_available() else "gloo",
            store=distributed.PrefixStore(f"training {next(_TRAININGS)}", store),
            rank=rank,
            world_size=size,
            timeout=PATIENCE,
        )
    try:
        yield
    finally:
        leave()
