"""What Horovod does alike for every framework."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from types import ModuleType
from typing import Any, ClassVar

from jaxtyping import PyTree

from gaugemc.interop import processes
from gaugemc.training.share import Share


class Workers(processes.Alone):
    """The processes that horovodrun started; mixed into those of a framework."""

    hvd: ClassVar[ModuleType]
    """Horovod of the framework."""
    errors: ClassVar[tuple[type[Exception], ...]]
    """Of communication."""

    def __init__(self) -> None:
        self.share = Share(self.hvd.rank(), self.hvd.size())

    def heard(self) -> AbstractContextManager[None]:
        return processes.heard(*self.errors)

    def gathered(self, own: Any) -> list[Any]:
        with self.heard():
            return self.hvd.allgather_object(own, name="told")

    def agreed(self, tree: PyTree) -> PyTree:
        # Horovod's own name is that of the type, which only process 0 knows.
        sent = partial(self.hvd.broadcast_object, root_rank=0, name="state")
        with self.heard():
            return processes.agreed(tree, sent)


@contextmanager
def started(hvd: ModuleType) -> Iterator[None]:
    """Inside, the processes that horovodrun started are one training; without it, this one alone.

    Raises:
        ConnectionError: they do not find each other.
    """
    os.environ.setdefault("HOROVOD_STALL_CHECK_DISABLE", "1")  # process 0 measures, others wait
    with processes.heard(RuntimeError, what="cannot start"):
        hvd.init()  # ends with the process
    yield
