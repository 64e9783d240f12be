"""Horovod averages the gradients: `backend=horovod`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import horovod.tensorflow as hvd
import tensorflow as tf
from horovod.common.exceptions import HorovodInternalError

from gaugemc.interop.horovod import Workers, started
from gaugemc.interop.tensorflow.processes import Processes, by_type
from gaugemc.training.share import WHOLE


class Horovod(Workers, Processes):
    """The processes that horovodrun started."""

    hvd = hvd
    errors = (HorovodInternalError, tf.errors.UnknownError)

    def means(self, tensors: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        if self.share == WHOLE:  # nothing is sent, and XLA compiles the whole step
            return tensors
        return by_type(tensors, partial(hvd.grouped_allreduce, op=hvd.Average))

    def all_of(self, chains: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        with self.heard():
            return [hvd.allgather(leaf, name=f"chains{i}") for i, leaf in enumerate(chains)]


@contextmanager
def together() -> Iterator[Horovod]:
    """Inside, the processes that horovodrun started are one training; see `started`."""
    with started(hvd):
        yield Horovod()
