"""What PyTorch and the C library leave to the compiled steps of JAX, in one process."""

import ctypes
import sys

import torch

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
"""Names of glibc's options, from malloc.h."""


def prepare_host() -> None:
    """Leave the cores and the memory of this process to JAX. Steps of 24 NCP layers gain a third.

    PyTorch has the optimiser alone, on small arrays. Its threads would spin on the cores that JAX
    needs. And a compiled step allocates its intermediate arrays, tens of megabytes. By default
    glibc gives the memory back to the system after each step, which clears each page of the next.
    """
    torch.set_num_threads(1)
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # another C library may lack it
        mallopt(_TRIM_THRESHOLD, 2**30)
        mallopt(_MMAP_MAX, 0)
        mallopt(_ARENA_MAX, 1)
