"""Horovod averages the gradients: `backend=horovod`."""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import horovod.tensorflow as hvd
import tensorflow as tf
from horovod.common.exceptions import HorovodInternalError
from jaxtyping import PyTree

from gaugemc.interop import processes
from gaugemc.interop.tensorflow.processes import Processes
from gaugemc.training.share import WHOLE, Share


class Horovod(Processes):
    """The processes that horovodrun started."""

    def __init__(self) -> None:
        self.share = Share(hvd.rank(), hvd.size())

    def heard(self) -> AbstractContextManager[None]:
        return processes.heard(HorovodInternalError, tf.errors.UnknownError)

    def agreed(self, tree: PyTree) -> PyTree:
        # Horovod's own name is that of the type, which only process 0 knows.
        sent = partial(hvd.broadcast_object, root_rank=0, name="state")
        with self.heard():
            return processes.agreed(tree, sent)

    def means(self, tensors: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        if self.share == WHOLE:  # nothing is sent, and XLA compiles the whole step
            return tensors
        means = list(tensors)
        for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):  # a group has one type
            at = [i for i, tensor in enumerate(tensors) if tensor.dtype == dtype]
            group = hvd.grouped_allreduce([tensors[i] for i in at], op=hvd.Average)
            for i, mean in zip(at, group, strict=True):
                means[i] = mean
        return means

    def all_of(self, chains: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        with self.heard():
            return [hvd.allgather(leaf, name=f"chains{i}") for i, leaf in enumerate(chains)]


@contextmanager
def together() -> Iterator[Horovod]:
    """Inside, the processes that horovodrun started are one training; without it, this one alone.

    Raises:
        ConnectionError: they do not find each other, or are not of the same version.
    """
    os.environ.setdefault("HOROVOD_STALL_CHECK_DISABLE", "1")  # process 0 measures, others wait
    with processes.heard(HorovodInternalError, RuntimeError, what="cannot start"):
        hvd.init()  # ends with the process
        versions = hvd.allgather_object(f"{processes.VERSION}, tensorflow {tf.__version__}")
    processes.same_versions(versions)
    yield Horovod()
