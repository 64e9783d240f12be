"""The driver of chains: whose memory the states are."""

import jax
import numpy as np
import pytest

from gaugemc.chains.driver import chunks, sample, start_chains
from gaugemc.groups import U1
from gaugemc.samplers import HMC, Compose, Winding
from gaugemc.spaces import Links
from gaugemc.theories import Wilson

pytestmark = pytest.mark.usefixtures("quick_compilation")

THEORY = Wilson(Links(U1(), (4, 4)), 1.0)
HMC_AND_WINDING = Compose((HMC(THEORY, 0.1, 3), Winding(THEORY)))


def gone(states: object) -> set[bool]:
    return {leaf.is_deleted() for leaf in jax.tree.leaves(states)}


def test_states_are_one_in_memory_and_the_callers_stay(key: jax.Array) -> None:
    start = start_chains(HMC_AND_WINDING, key, 4)
    yielded = [samples.states for _, samples in chunks(HMC_AND_WINDING, key, start, 6, 2)]
    assert [gone(states) for states in yielded] == [{True}, {True}, {False}]
    assert gone(start) == {False}


def test_the_same_states_are_continued_twice(key: jax.Array) -> None:
    states = sample(HMC_AND_WINDING, key, chains=4, draws=2, warmup=0).states
    first, again = (
        sample(HMC_AND_WINDING, key, states=states, draws=3, warmup=0).draws.observables
        for _ in range(2)
    )
    np.testing.assert_array_equal(first["plaquette"], again["plaquette"])
