"""Checks of maps: flows and proposals have the inverse and the log-det that they claim."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, Shaped

from gaugemc.arrays import Field, Scalar
from gaugemc.checks.outcome import Check, bounded, undecided
from gaugemc.checks.tangent import basis, dimension, log_det_error
from gaugemc.flows import Flow
from gaugemc.kernels.once import once
from gaugemc.samplers import L2HMC, Compose, GeneralisedLeapfrog, Sampler, on_lattice
from gaugemc.samplers.l2hmc.trainable_leapfrog import holds_lattice_size
from gaugemc.spaces import Links, Space
from gaugemc.theories import Theory

Model = Flow | GeneralisedLeapfrog
"""What can be trained."""

LIMIT = 1e-8
"""Of what is exact but for rounding, in float64."""
LARGEST = 2048
"""The most dimensions of a dense Jacobian."""
_JACOBIAN_LATTICES = {2: (8, 8), 3: (4, 4, 4), 4: (4, 2, 2, 2)}
"""By dimension. The Jacobian is dense: on larger lattices the same map is checked on these."""
_PROPOSAL_LATTICES = {2: (4, 2), 3: (2, 2, 2), 4: (2, 2, 2, 2)}
"""The same for maps of phase space with matrices, which have twice the dimensions."""
_CONFIGURATIONS = 3


@runtime_checkable
class Dynamics(Protocol):
    """A sampler whose proposals follow reversible dynamics."""

    @property
    def theory(self) -> Theory: ...

    def there_and_back(self, x: Field, v: Field) -> Field:
        """The end of a trajectory and of the one that undoes it: x but for rounding."""
        ...


def of_maps(sampler: Sampler, model: Model | None, key: Key[Array, ""]) -> dict[str, Check]:
    """The checks of the sampler's dynamics and of what was trained for it, both in float64.

    Whatever the run's precision: rounding grows along a trajectory, and derivatives of a network in
    less are not linear in the tangent. Mistakes are there from the start.
    """
    checked = {
        f"reversibility{name}": reversibility(member, key)
        for name, member in dynamics_in(sampler).items()
    }
    if model is not None:
        checked["log_det"] = log_det_of_model(sampler, model, key)
    return checked


def dynamics_in(sampler: Sampler) -> dict[str, Dynamics]:
    """The kernels with reversible dynamics that a sampler is made of, by what tells them apart.

    One alone needs no name.
    """
    found = _dynamics(sampler, "")
    return {"": found.popitem()[1]} if len(found) == 1 else found


def _dynamics(sampler: Sampler, name: str) -> dict[str, Dynamics]:
    if isinstance(sampler, Compose):
        pairs = zip(sampler.names, sampler.samplers)
        parts = [_dynamics(member, f"{name}.{own}") for own, member in pairs]
        return {key: member for part in parts for key, member in part.items()}
    return {name: sampler} if isinstance(sampler, Dynamics) else {}


def reversibility(sampler: Dynamics, key: Key[Array, ""]) -> Check:
    """Largest distance from the start after a trajectory there and, momentum flipped, back."""
    return bounded(float(_return_error(sampler, key)), LIMIT)


@once
def _return_error(sampler: Dynamics, key: Key[Array, ""]) -> Scalar:
    space = sampler.theory.space
    start_key, momentum_key = jax.random.split(key)
    x, v = space.random(start_key), space.random_momentum(momentum_key)
    return space.distance(x, sampler.there_and_back(x, v))


def inverse(flow: Flow, space: Space, key: Key[Array, ""]) -> Check:
    """Largest distance of z from inverse(forward(z)), and of the two log-dets from opposite."""
    return bounded(worst(_inverse_error, flow, space, key), LIMIT)


@once
def _inverse_error(flow: Flow, space: Space, key: Key[Array, ""]) -> Scalar:
    z = space.random(key)
    x, log_det = flow.forward(z)
    again, back = flow.inverse(x)
    sizes = jnp.maximum(1.0, jnp.abs(log_det))
    return jnp.maximum(space.distance(z, again), jnp.abs(log_det + back) / sizes)


def log_det(flow: Flow, space: Space, key: Key[Array, ""]) -> Check:
    """Largest difference of a flow's log-det from that of its autodiff Jacobian.

    On the space itself, or on a smaller lattice if the flow can be moved to one.
    """
    if isinstance(space, Links) and (smaller := small_enough(space)) is not space:
        try:
            moved = flow.on(smaller.lattice)
            eqx.filter_eval_shape(moved.forward, smaller.origin())
            flow, space = moved, smaller
        except Exception:  # a flow of this lattice alone
            pass
    if (size := dimension(space)) > LARGEST:
        return undecided(f"{size} dimensions: too many for a dense Jacobian, at most {LARGEST}")
    return bounded(worst(_log_det_error, (flow, basis(space)), space, key), LIMIT, **place(space))


@once
def _log_det_error(
    subject: tuple[Flow, Shaped[Array, "dimension ..."]], space: Space, key: Key[Array, ""]
) -> Scalar:
    flow, momenta = subject
    return log_det_error(flow.forward, space.random(key), momenta, space.move)


def log_det_of_proposal(sampler: L2HMC, key: Key[Array, ""]) -> Check:
    """The same of a proposal of L2HMC, a map of phase space."""
    space, leapfrog = sampler.theory.space, sampler.leapfrog
    if isinstance(space, Links) and not holds_lattice_size(leapfrog):
        lattices = _PROPOSAL_LATTICES if space.group.link_shape else _JACOBIAN_LATTICES
        space = small_enough(space, lattices)
        # Compiled trajectories have a reverse pass alone.
        space = Links(space.group.without_kernels(), space.lattice, space.real)
        theory = eqx.tree_at(lambda t: t.space, sampler.theory, space)
        sampler = L2HMC(theory, on_lattice(leapfrog, space), sampler.direction)
    if (size := 2 * dimension(space)) > LARGEST:
        return undecided(f"{size} dimensions: too many for a dense Jacobian, at most {LARGEST}")
    subject = sampler, basis(space)
    return bounded(worst(_proposal_error, subject, space, key), LIMIT, **place(space))


@once
def _proposal_error(
    subject: tuple[L2HMC, Shaped[Array, "dimension ..."]], space: Space, key: Key[Array, ""]
) -> Scalar:
    sampler, momenta = subject
    keys = jax.random.split(key)
    start = jnp.stack([space.random(keys[0]), space.random_momentum(keys[1])])
    rest = jnp.zeros_like(momenta)
    directions = jnp.concatenate([jnp.stack([momenta, rest], 1), jnp.stack([rest, momenta], 1)])

    def move(z: Field, along: Field, e: Scalar) -> Field:
        pushed = z[1] + e.astype(along.real.dtype) * along[1]
        return jnp.stack([space.move(z[0], along[0], e), pushed])

    return log_det_error(sampler.phase_space_map, start, directions, move)


def log_det_of_model(sampler: Sampler, model: Model, key: Key[Array, ""]) -> Check:
    """The log-det check of what was trained: a flow, or the proposals of L2HMC."""
    if isinstance(model, Flow):
        return log_det(model, sampler.theory.space, key)
    assert isinstance(sampler, L2HMC)
    return log_det_of_proposal(sampler, key)


def small_enough(
    space: Links, lattices: Mapping[int, tuple[int, ...]] = _JACOBIAN_LATTICES
) -> Links:
    """The same links on a lattice whose autodiff Jacobian can be computed."""
    lattice = lattices.get(len(space.lattice), space.lattice)
    if np.prod(space.lattice) <= np.prod(lattice):
        return space
    return Links(space.group, lattice, space.real)


def place(space: Space) -> dict[str, list[int]]:
    """Where a map was checked: the lattice, or the shape of fields that have none."""
    if isinstance(space, Links):
        return {"lattice": list(space.lattice)}
    return {"shape": list(space.field_shape)}


def worst(
    error: Callable[[Any, Space, Key[Array, ""]], Scalar],
    subject: Any,
    space: Space,
    key: Key[Array, ""],
) -> float:
    """The largest error of a map on a few random configurations; NaN if one is."""
    keys = jax.random.split(key, _CONFIGURATIONS)
    return float(np.max([float(error(subject, space, k)) for k in keys]))
