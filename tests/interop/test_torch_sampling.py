"""Samplers as modules of PyTorch: the same draws, and states in memory of their own."""

import jax
import numpy as np
import pytest
import torch
from jaxtyping import Array

from gaugemc.chains.driver import sample
from gaugemc.interop.torch import Sampling
from gaugemc.samplers import HMC
from gaugemc.theories.toys import strongly_correlated_gaussian

SAMPLER = HMC(strongly_correlated_gaussian(), 0.1, 3)


def test_draws_are_those_of_sample(key: Array) -> None:
    expected = sample(SAMPLER, key, chains=4, draws=6, warmup=0)
    sampling = Sampling(SAMPLER, key)
    half = sampling(sampling.start(4), draws=2)
    rest = sampling(half.states, draws=4, first=2)
    for name, values in expected.draws.observables.items():
        ours = torch.cat([half.observables[name], rest.observables[name]], dim=1)
        np.testing.assert_array_equal(ours.numpy(), values)
    np.testing.assert_array_equal(rest.info.accepted.numpy(), expected.draws.info.accepted[:, 2:])
    np.testing.assert_array_equal(rest.states.x.numpy(), expected.states.x)


def test_the_states_that_were_given_stay_as_they_are(key: Array) -> None:
    """The driver gives the memory of states to later states, but not that of tensors."""
    sampling = Sampling(SAMPLER, key)
    start = sampling.start(4)
    before = start.x.clone()
    after = sampling(start, draws=3).states
    assert torch.equal(start.x, before)
    kept = after.x.clone()
    sampling(after, draws=3, first=3).states.x.zero_()
    assert torch.equal(after.x, kept)


def test_a_state_that_is_no_number_is_refused(key: Array) -> None:
    sampling = Sampling(SAMPLER, key)
    broken = jax.tree.map(lambda t: torch.full_like(t, torch.nan), sampling.start(2))
    with pytest.raises(ValueError, match="NaN"):
        sampling(broken)
