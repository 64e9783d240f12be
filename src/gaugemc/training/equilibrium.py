"""Chains of an algorithm that needs no training, which run beside training and feed it."""

import jax
from jaxtyping import Array, Key, PyTree

from gaugemc.chains.driver import sample
from gaugemc.samplers import Sampler
from gaugemc.training.share import Share

WARMUP = 100


def equilibrium(source: Sampler, key: Key[Array, ""], chains: int, warmup: int = WARMUP) -> PyTree:
    """States of so many chains in equilibrium, after some draws."""
    return sample(source, key, chains=chains, draws=1, warmup=warmup).states


def moved(source: Sampler, share: Share, key: Key[Array, ""], states: PyTree) -> PyTree:
    """The chains of one part of a batch after one draw, as constants for a gradient."""
    keys = share.of(jax.random.split(key, len(states.x) * share.parts))
    return jax.lax.stop_gradient(jax.vmap(source.step)(keys, states)[0])
