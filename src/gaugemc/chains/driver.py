"""The one driver: many chains of any sampler at once, in compiled chunks."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Int, Key, PyTree

from gaugemc.arrays import known
from gaugemc.chains.measurement import OWN, Measured, Measurement
from gaugemc.chains.progress import progress_bar
from gaugemc.kernels.once import once
from gaugemc.mesh import (
    SAME_BITS,
    check_divides,
    cutting,
    gathered,
    mesh_for,
    mesh_of,
    on_each,
    spread,
)
from gaugemc.samplers.sampler import ComposeInfo, Info, Sampler


class Draws(NamedTuple):
    """What was measured, as NumPy arrays of shape [chain, draw], or [chain, draw, ...]."""

    observables: dict[str, np.ndarray]
    info: Info | ComposeInfo


class Samples(NamedTuple):
    """The draws, and the states from which the chains can be continued (leading axis: chain)."""

    draws: Draws
    states: PyTree


CAPACITY = 64
"""Most draws of one compiled call: one number for all calls, so that a sampler compiles once."""


def hot_starts(chains: int) -> int:
    """Of so many chains, those that start hot; they come first."""
    return (chains + 1) // 2


def start_chains(
    sampler: Sampler,
    key: Key[Array, ""],
    chains: int,
    cold: bool = True,
    mesh: Mesh | None = None,
) -> PyTree:
    """New states of `chains` chains: the first half hot, the second half cold, unless all are hot.

    Agreement of the two halves (R-hat) shows that the chains have forgotten their start.
    A mesh gets the states spread over its devices.

    Raises:
        ValueError: no chain can start there, in one line that says why, or the mesh cannot share
            the chains.
    """
    n_hot = hot_starts(chains) if cold else chains
    cut = cutting(mesh)
    if cut is not None:
        check_divides(cut, chains, *sampler.theory.space.field_shape)
    # A lattice that is cut is never whole: no device could hold it.
    states, faults = _start_chains(sampler, key, chains, n_hot, cut)
    for message, found in faults.items():
        if known(found) and np.any(gathered(found)):
            raise ValueError(message)
    return spread(states, mesh)


@once
def _start_chains(
    sampler: Sampler, key: Key[Array, ""], chains: int, n_hot: int, mesh: Mesh | None
) -> tuple[PyTree, dict[str, Bool[Array, " chain"]]]:
    def part(keys: Key[Array, " chain"], hot: Bool[Array, " chain"]) -> tuple[PyTree, dict]:
        states = jax.vmap(sampler.init)(keys, hot)
        return states, jax.vmap(sampler.faults)(keys, states)

    return on_each(mesh, part)(_chain_keys(key, chains), jnp.arange(chains) < n_hot)


def _chain_keys(key: Key[Array, ""], chains: int) -> Key[Array, " chain"]:
    return jax.vmap(lambda c: jax.random.fold_in(key, c))(jnp.arange(chains))


class Chunk(NamedTuple):
    """Draws `first` to `first + length - 1` of every chain, with `length` at most CAPACITY."""

    sampler: Sampler
    key: Key[Array, ""]
    first: Int[Array, ""]
    length: Int[Array, ""]
    measurement: Measurement = OWN
    mesh: Mesh | None = None
    """The devices that share the chains."""


@eqx.filter_jit(donate="all-except-first", compiler_options=SAME_BITS)  # pyright: ignore[reportCallIssue]
def advance(chunk: Chunk, states: PyTree) -> tuple[PyTree, tuple[Measured, Info | ComposeInfo]]:
    """Make a chunk; the new states get the memory of the old ones, which are gone.

    Returns the states, and observables and infos of shape [chain, CAPACITY]. The first `length`
    draws of these arrays are filled.
    """
    sampler, key, first, length, measurement, mesh = chunk

    def part(keys: Key[Array, " chain"], states: PyTree) -> tuple[PyTree, tuple]:
        def body(i: Int[Array, ""], carry: tuple[PyTree, tuple]) -> tuple[PyTree, tuple]:
            states, measured = draw(sampler, keys, first + i, carry[0], measurement)
            return states, jax.tree.map(lambda m, new: m.at[i].set(new), carry[1], measured)

        empty = jax.tree.map(
            lambda leaf: jnp.zeros((CAPACITY, *leaf.shape), leaf.dtype),
            eqx.filter_eval_shape(draw, sampler, keys, first, states, measurement)[1],
        )
        states, measured = jax.lax.fori_loop(jnp.zeros_like(length), length, body, (states, empty))
        return states, jax.tree.map(lambda m: jnp.swapaxes(m, 0, 1), measured)

    return on_each(mesh, part)(_chain_keys(key, len(jax.tree.leaves(states)[0])), states)


@eqx.filter_jit  # what `advance` asks of shapes and what its loop does are one trace
def draw(
    sampler: Sampler,
    keys: Key[Array, " chain"],
    index: Int[Array, ""],
    states: PyTree,
    measurement: Measurement,
) -> tuple[PyTree, tuple[Measured, Info | ComposeInfo]]:
    """One draw of every chain: the states, and observables and infos of shape [chain]."""
    step_keys = jax.vmap(lambda k: jax.random.fold_in(k, index))(keys)
    states, info = jax.vmap(sampler.step)(step_keys, states)
    return states, (measurement(sampler.theory, states.x, index), info)


def chunks(
    sampler: Sampler,
    key: Key[Array, ""],
    states: PyTree,
    draws: int,
    chunk: int,
    first: int = 0,
    measurement: Measurement = OWN,
) -> Iterator[tuple[int, Samples]]:
    """Run draws `first` to `draws - 1` in chunks; yields the draws so far and the chunk's samples.

    Draw i of chain c depends only on the key, c, i and the state before the draw. So a chain that
    is stopped after any chunk and continued from its state is the same chain.

    The states that are yielded last until the next chunk, which reuses their memory.

    Raises:
        ValueError: a chain's state has a NaN.
    """
    check_states(sampler, states)
    states = jax.tree.map(jnp.copy, states)  # the caller's stay
    mesh = mesh_of(states)
    while first < draws:
        parts = []
        end = min(first + chunk, draws)
        while first < end:
            length = min(CAPACITY, end - first)
            part = Chunk(sampler, key, jnp.asarray(first), jnp.asarray(length), measurement, mesh)
            states, (observables, info) = advance(part, states)
            check_states(sampler, states)
            measured = jax.device_get(gathered((observables, info)))
            parts.append(Draws(*jax.tree.map(lambda a, n=length: a[:, :n], measured)))
            first += length
        yield first, Samples(concatenate(parts), states)


def check_states(sampler: Sampler, states: PyTree) -> None:
    """Raise ValueError if a state holds a NaN: nothing is ever accepted there, in silence."""
    bad = np.asarray(gathered(_nan_chains(states)))
    if bad.any():
        raise ValueError(
            f"{sampler.theory.name}: the state of chain {int(bad.argmax())}"
            f" ({int(bad.sum())} of {len(bad)} chains) has a NaN, and it would never move again:"
            " start where the action and the force are numbers"
        )


@jax.jit
def _nan_chains(states: PyTree) -> Bool[Array, " chain"]:
    """Whether the state of each chain has a NaN in it."""
    leaves = [leaf for leaf in jax.tree.leaves(states) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return functools.reduce(
        jnp.logical_or,
        (jnp.any(jnp.isnan(leaf), axis=tuple(range(1, leaf.ndim))) for leaf in leaves),
        jnp.zeros(len(jax.tree.leaves(states)[0]), bool),
    )


def concatenate(parts: list[Draws]) -> Draws:
    """One set of draws from consecutive chunks."""
    return jax.tree.map(lambda *arrays: np.concatenate(arrays, axis=1), *parts)


def check_key(key: object) -> None:
    """Raise ValueError unless this is a random key."""
    dtype = getattr(key, "dtype", None)
    if dtype is None or not (jnp.issubdtype(dtype, jax.dtypes.prng_key) or dtype == np.uint32):
        raise ValueError(f"key {key!r}: give a random key, such as jax.random.key(1)")


def sample(
    sampler: Sampler,
    key: Key[Array, ""],
    *,
    chains: int = 64,
    draws: int = 1000,
    warmup: int = 100,
    chunk: int | None = None,
    states: PyTree | None = None,
    measurement: Measurement = OWN,
    devices: Sequence[Any] | None = None,
    parts: int = 1,
    progress: bool = False,
) -> Samples:
    """Run `chains` chains of a sampler for `warmup` + `draws` steps and keep the last `draws`.

    Args:
        sampler: any sampler.
        key: the one source of randomness.
        chains: number of chains; half start hot, half cold. Ignored where `states` is given.
        draws: draws to keep of each chain.
        warmup: draws to discard first.
        chunk: draws between two reports of progress; by default a twentieth of the run.
        states: states to continue from, as returned by an earlier call.
        measurement: what is measured; by default the theory's observables, on every draw.
        devices: devices that share the chains equally; by default one. Their number changes no bit
            of the draws on CPUs. Ignored where `states` is given: chains run where they are.
        parts: devices that share each lattice, cut along direction 0. Draws are then equal to
            rounding. Ignored as `devices` is.
        progress: show a progress bar on stderr.

    Returns:
        Samples: observables and infos of shape [chain, draw, ...], and the final states.

    Raises:
        ValueError: an argument is out of range, or a chain starts where the action is NaN.
    """
    if devices is not None and not devices:
        raise ValueError("devices []: give at least one, such as jax.devices()")
    if not isinstance(sampler, Sampler):
        raise ValueError(f"sample: needs a sampler, not {type(sampler).__name__}")
    for name, number, least in (
        ("chains", chains, 1),
        ("draws", draws, 1),
        ("warmup", warmup, 0),
        ("chunk", 1 if chunk is None else chunk, 1),
        ("parts", parts, 1),
    ):
        if not isinstance(number, int | np.integer) or number < least:
            raise ValueError(f"{name} {number}: must be a whole number, at least {least}")
    check_key(key)
    start_key, run_key = jax.random.split(key)
    if states is None:
        mesh = mesh_for(devices or jax.devices()[:1], parts)
        states = start_chains(sampler, start_key, chains, mesh=mesh)
    everything = warmup + draws
    kept: list[Draws] = []
    with progress_bar("sampling", everything, progress) as report:
        for done, samples in chunks(
            sampler,
            run_key,
            states,
            everything,
            chunk or max(1, everything // 20),
            measurement=measurement,
        ):
            states = samples.states
            kept.append(samples.draws)
            report(done, f"acceptance {samples.draws.info.acceptance.mean():.2f}")
    return Samples(jax.tree.map(lambda a: a[:, warmup:], concatenate(kept)), states)
