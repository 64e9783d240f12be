"""The processes that torchrun started, which train together (torch.distributed).

Every process computes its share of each batch. In a single process all functions here give back
what they are given.
"""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import equinox as eqx
import jax
import jax.numpy as jnp
import torch
from jaxtyping import PyTree
from torch import distributed, nn

import gaugemc
from gaugemc.training.share import WHOLE, Share

PATIENCE = timedelta(days=1)
"""Process 0 measures the quality while the others wait. A process that dies is noticed at once."""

_TRAININGS = itertools.count()
"""Of this process: each finds the others by a name of its own, not by what an earlier one left."""


@contextmanager
def together() -> Iterator[None]:
    """Inside, the processes that torchrun started are one training.

    Raises:
        ConnectionError: they do not find each other, or are not of the same version.
    """
    with _heard("cannot start"):
        store, rank, size = next(distributed.rendezvous("env://"))
        distributed.init_process_group(
            "nccl" if torch.cuda.is_available() else "gloo",
            store=distributed.PrefixStore(f"training {next(_TRAININGS)}", store),
            rank=rank,
            world_size=size,
            timeout=PATIENCE,
        )
    try:
        versions: list[str] = [""] * distributed.get_world_size()
        with _heard():
            own = f"gaugemc {gaugemc.__version__}, jax {jax.__version__}, torch {torch.__version__}"
            distributed.all_gather_object(versions, own)
        for number, version in enumerate(versions):
            if version != versions[0]:
                raise ConnectionError(
                    f"process {number} has {version}, process 0 {versions[0]}: install the same"
                )
        yield
    finally:
        distributed.destroy_process_group()


def share() -> Share:
    """This process's share of every batch."""
    if not distributed.is_initialized():
        return WHOLE
    return Share(distributed.get_rank(), distributed.get_world_size())


def agreed(tree: PyTree) -> PyTree:
    """The tree of process 0, in all of them: elsewhere what is no array counts alone."""
    if share() == WHOLE:
        return tree
    arrays, code = eqx.partition(tree, eqx.is_array)
    leaves, structure = jax.tree.flatten(arrays)
    sent = [jax.device_get(leaves) if share().index == 0 else None]
    with _heard():
        distributed.broadcast_object_list(sent)
    return eqx.combine(jax.tree.unflatten(structure, map(jnp.asarray, sent[0] or [])), code)


def averaging(loss: nn.Module) -> nn.Module:
    """The loss with gradients that are means over the processes."""
    return loss if share() == WHOLE else nn.parallel.DistributedDataParallel(loss)


def backward(loss: torch.Tensor) -> torch.Tensor:
    """Compute all gradients; returns the loss of the whole batch, the mean over the processes."""
    with _heard():
        loss.backward()
        whole = loss.detach().clone()
        if share() != WHOLE:
            distributed.all_reduce(whole)
        return whole / share().parts


def all_of(chains: PyTree) -> PyTree:
    """The states of the chains of all processes, of tensors."""

    def joined(own: torch.Tensor) -> torch.Tensor:
        parts = [torch.empty_like(own) for _ in range(share().parts)]
        with _heard():
            distributed.all_gather(parts, own)
        return torch.cat(parts)

    return chains if share() == WHOLE else jax.tree.map(joined, chains)


@contextmanager
def _heard(what: str = "cannot go on") -> Iterator[None]:
    """Errors of communication, which say little, in one line."""
    try:
        yield
    except RuntimeError as error:
        reason = " ".join(str(error).split("\n")[0].split())
        where = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        raise ConnectionError(
            f"training {what} with {os.environ.get('WORLD_SIZE')} processes ({where}):"
            f" a process has ended, or cannot be reached: {reason}"
        ) from error
