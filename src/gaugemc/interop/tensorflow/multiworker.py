"""MultiWorkerMirroredStrategy averages the gradients: `backend=multiworker`."""

import io
import os
import pickle
import signal
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf
from jaxtyping import PyTree

from gaugemc.choices import frameworks
from gaugemc.choices.devices import Place
from gaugemc.choices.option import SettingsError
from gaugemc.choices.tf_config import cluster_in
from gaugemc.interop import processes
from gaugemc.interop.tensorflow.processes import Processes, by_type
from gaugemc.run.meeting import addresses
from gaugemc.training.share import Share


class MultiWorker(Processes):
    """The processes of TF_CONFIG.

    The strategy sends and receives. Variables and Adam are each process's own, and alike.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self.share = Share(frameworks.rank(), frameworks.processes())
        self.strategy = strategy
        words = tf.TensorSpec([None], tf.int32)
        self._joined = tf.function(self._join, input_signature=[words], autograph=False)

    def heard(self) -> AbstractContextManager[None]:
        return heard()

    def agreed(self, tree: PyTree) -> PyTree:
        return processes.agreed(tree, lambda own: self.gathered(own)[0])

    def means(self, tensors: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        return by_type(tensors, lambda group: self.strategy.run(_mean, (group,)))

    def all_of(self, chains: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        parts = self.gathered([leaf.numpy() for leaf in chains])
        return [tf.constant(np.concatenate(leaves)) for leaves in zip(*parts, strict=True)]

    def gathered(self, own: Any) -> list[Any]:
        """The objects of all processes, in their order."""
        sent = np.frombuffer(pickle.dumps(own), np.uint8).astype(np.int32)  # bytes are not gathered
        with self.heard():
            found = self._joined(sent).numpy()
        stream = io.BytesIO(found.astype(np.uint8).tobytes())
        return [pickle.load(stream) for _ in range(self.share.parts)]

    def _join(self, sent: tf.Tensor) -> tf.Tensor:
        def join(own: tf.Tensor) -> tf.Tensor:
            return tf.distribute.get_replica_context().all_gather(tf.identity(own), 0)

        return self.strategy.run(join, (sent,))


def _mean(tensors: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
    """The means over the replicas, in each."""
    replica = tf.distribute.get_replica_context()
    # The strategy wants tensors that are on the device of the replica.
    return replica.all_reduce(tf.distribute.ReduceOp.MEAN, [tf.identity(t) for t in tensors])


def heard(what: str = "cannot go on") -> AbstractContextManager[None]:
    """Inside, errors of TensorFlow's communication become a ConnectionError."""
    return processes.heard(*LOST, what=what, where="TF_CONFIG")


LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.UnavailableError,
    tf.errors.UnknownError,  # a port in use
)


@cache
def strategy(patience: int) -> tf.distribute.Strategy:
    """Of this process, to its end: TensorFlow starts its server once.

    Raises:
        ConnectionError: the processes do not find each other in so many seconds.
    """
    cluster, number = cluster_in(os.environ["TF_CONFIG"])
    try:  # TensorFlow itself would wait without an end for one that has ended
        addresses(Place(number, len(cluster), cluster[0], patience=patience), {})
    except SettingsError as error:
        raise ConnectionError(f"TF_CONFIG: {error}") from error
    terminate = signal.getsignal(signal.SIGTERM)
    with heard("cannot start"):
        started = tf.distribute.MultiWorkerMirroredStrategy()
    signal.signal(signal.SIGTERM, terminate)  # which TensorFlow takes from us
    return started


@contextmanager
def together(patience: int) -> Iterator[Processes]:
    """Inside, the processes of TF_CONFIG are one training; without it, this one alone.

    Args:
        patience: seconds in which all of them must have come.
    """
    yield Processes() if frameworks.processes() == 1 else met(patience)


def met(patience: int) -> MultiWorker:
    """The processes of TF_CONFIG.

    Raises:
        ConnectionError: they do not find each other, or have several GPUs each.
    """
    workers = MultiWorker(strategy(patience))
    if workers.strategy.num_replicas_in_sync != workers.share.parts:
        raise ConnectionError(
            f"{workers.share.parts} processes of TF_CONFIG have"
            f" {workers.strategy.num_replicas_in_sync} GPUs: give each process one, by"
            " CUDA_VISIBLE_DEVICES"
        )
    return workers
