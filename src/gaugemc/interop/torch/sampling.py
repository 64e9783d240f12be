"""A sampler of gaugemc as a module of PyTorch."""

from typing import Any, NamedTuple

import jax
import torch
from jaxtyping import Array, Key, PyTree
from torch import nn

from gaugemc.chains.driver import chunks, start_chains
from gaugemc.interop.torch.arrays import arrays, tensors
from gaugemc.samplers import Sampler


class TorchDraws(NamedTuple):
    """Later states of chains, and what was measured on the way."""

    states: PyTree
    """From which the chains go on: a pytree of tensors with the leading axis [chain]."""
    observables: dict[str, torch.Tensor]
    """Each of shape [chain, draw, ...]."""
    info: Any
    """What each step reports, such as `accepted`: tensors [chain, draw]."""


class Sampling(nn.Module):
    """Many chains of a sampler, whose states are tensors. Nothing here has a gradient.

    Args:
        sampler: any sampler; of a trained model, the one made of `loss.model()`.
        key: the one source of randomness. Draw i of chain c depends on the key, c, i and the state
            before alone, as in `gaugemc.sample`.
    """

    def __init__(self, sampler: Sampler, key: Key[Array, ""]):
        super().__init__()
        self._sampler = sampler
        self._start, self._run = jax.random.split(key)

    def start(self, chains: int) -> PyTree:
        """States of new chains, half of them hot, half cold."""
        return tensors(start_chains(self._sampler, self._start, chains))

    def forward(self, states: PyTree, draws: int = 1, first: int = 0) -> TorchDraws:
        """Make draws `first` to `first + draws - 1` of every chain.

        Raises:
            ValueError: a state has a NaN.
        """
        end = first + draws
        found = chunks(self._sampler, self._run, arrays(states), end, draws, first)
        ((_, samples),) = found
        observables, info = jax.tree.map(torch.from_numpy, tuple(samples.draws))
        return TorchDraws(tensors(samples.states), observables, info)
