"""Several kernels of one theory as one kernel: a cycle through them, or a mixture of them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Key, PyTree

from gaugemc.arrays import Field
from gaugemc.samplers.hmc.hmc import HMC
from gaugemc.samplers.sampler import ComposeInfo, Info, Sampler
from gaugemc.theories import Theory


class ComposeState(NamedTuple):
    """A chain: its variable, and the state in which each member was when it moved last."""

    x: Field
    members: tuple[PyTree, ...]


class Compose(Sampler):
    """Kernels that share a theory, and so its density, as one exact kernel (Tierney 1994).

    Without `probabilities` a step is a cycle: every member moves once, in order. With them it is a
    mixture: one member moves, drawn with these fixed probabilities. Each member leaves the density
    invariant, and so does the composition; it is ergodic if one member is (with a probability that
    is not 0). Chains start as those of the first member do.

    A step reports a `ComposeInfo`, so that each member can be checked for itself. Members keep
    their states. Where another member has moved the chain, a member's state is made anew, and the
    force that this takes is counted. Over many chains at once JAX computes a mixture's members all
    and keeps one, so a step takes as long as a cycle's; states, too, are then made anew every time.

    The members of `Compose((HMC(theory.pullback(flow), ...), ...))` move the flow's variable z. In
    z the flow's own proposals are `Independence(theory.pullback(flow), Chain(()))`.
    """

    samplers: tuple[Sampler, ...]
    probabilities: tuple[float, ...] | None

    def __init__(self, samplers: Sequence[Sampler], probabilities: Sequence[float] | None = None):
        self.samplers = tuple(samplers)
        self.probabilities = None if probabilities is None else tuple(map(float, probabilities))

    def __check_init__(self) -> None:
        if not self.samplers:
            raise ValueError("compose: needs at least one sampler")
        for sampler in self.samplers[1:]:
            same = sampler.theory is self.theory or eqx.tree_equal(sampler.theory, self.theory)
            if not same:
                raise ValueError(
                    f"compose: {type(sampler).__name__} on {describe(sampler.theory)} and "
                    f"{type(self.samplers[0]).__name__} on {describe(self.theory)} do not share "
                    "a theory"
                )
        p = self.probabilities
        if p is None:
            return
        if len(p) != len(self.samplers):
            raise ValueError(f"compose: {len(p)} probabilities for {len(self.samplers)} samplers")
        if not (all(q >= 0 for q in p) and abs(sum(p) - 1) < 1e-9):
            raise ValueError(
                f"compose: probabilities {list(p)} must not be negative and must sum to 1"
            )

    @property
    def theory(self) -> Theory:
        """The theory of all members."""
        return self.samplers[0].theory

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each member: its class in small letters, numbered from the second on."""
        kinds = [type(sampler).__name__.lower() for sampler in self.samplers]
        counts = [kinds[: place + 1].count(kind) for place, kind in enumerate(kinds)]
        return tuple(kind if n == 1 else f"{kind}_{n}" for kind, n in zip(kinds, counts))

    @property
    def forces_of_state(self) -> int:
        return sum(sampler.forces_of_state for sampler in self.samplers)

    @property
    def one_start(self) -> str:
        return self.samplers[0].one_start

    def init(self, key: Key[Array, ""], hot: bool | Bool[Array, ""] = True) -> ComposeState:
        first = self.samplers[0].init(key, hot)
        rest = [sampler.state(first.x) for sampler in self.samplers[1:]]
        return ComposeState(first.x, (first, *rest))

    def faults(self, key: Key[Array, ""], state: ComposeState) -> dict[str, Bool[Array, ""]]:
        return self.samplers[0].faults(key, state.members[0])

    def state(self, x: Field) -> ComposeState:
        """The state of a chain that continues from the variable x."""
        return ComposeState(x, tuple(sampler.state(x) for sampler in self.samplers))

    def step(self, key: Key[Array, ""], state: ComposeState) -> tuple[ComposeState, ComposeInfo]:
        if self.probabilities is None:
            return self._cycle(key, state)
        choice_key, move_key = jax.random.split(key)
        bounds = jnp.asarray(np.cumsum(self.probabilities)[:-1])
        chosen = jnp.sum(jax.random.uniform(choice_key, dtype=jnp.float64) >= bounds)
        return jax.lax.switch(
            chosen, [self._alone(place) for place in range(len(self.samplers))], move_key, state
        )

    def _cycle(self, key: Key[Array, ""], state: ComposeState) -> tuple[ComposeState, ComposeInfo]:
        infos: list[Info | ComposeInfo] = []
        for place, member_key in enumerate(jax.random.split(key, len(self.samplers))):
            state, info = move(self.samplers[place], place, member_key, state)
            infos.append(info)
        forces = jnp.stack([info.force_evaluations for info in infos])
        return state, ComposeInfo(
            infos[-1].accepted,
            jnp.mean(jnp.stack([info.acceptance for info in infos])),
            infos[-1].delta_h,
            jnp.sum(forces, dtype=jnp.int32),
            tuple(infos),
            tuple(jnp.ones((), bool) for _ in infos),
        )

    def _alone(self, place: int) -> "Move":
        """The move of one member of a mixture."""

        def step(key: Key[Array, ""], state: ComposeState) -> tuple[ComposeState, ComposeInfo]:
            after, info = move(self.samplers[place], place, key, state)
            infos, moved = [], []
            for other, (sampler, own) in enumerate(zip(self.samplers, state.members)):
                infos.append(info if other == place else silent(sampler, own))
                moved.append(jnp.asarray(other == place))
            return after, ComposeInfo(
                info.accepted,
                info.acceptance,
                info.delta_h,
                info.force_evaluations,
                tuple(infos),
                tuple(moved),
            )

        return step


def hmc_in(sampler: Sampler) -> HMC | None:
    """The HMC that a sampler is, or has as a member."""
    members = sampler.samplers if isinstance(sampler, Compose) else (sampler,)
    return next((member for member in members if isinstance(member, HMC)), None)


def with_hmc(sampler: Sampler, hmc: HMC) -> Sampler:
    """The same sampler with another HMC in the place of its own."""
    if not isinstance(sampler, Compose):
        return hmc
    members = [hmc if isinstance(member, HMC) else member for member in sampler.samplers]
    return Compose(members, sampler.probabilities)


Move = Callable[[Key[Array, ""], ComposeState], tuple[ComposeState, ComposeInfo]]


def move(
    sampler: Sampler, place: int, key: Key[Array, ""], state: ComposeState
) -> tuple[ComposeState, Info | ComposeInfo]:
    """One step of the member at `place`, in its own state or, where that is of another x, anew."""
    own = state.members[place]
    elsewhere = jnp.any(own.x != state.x)
    own = jax.lax.cond(elsewhere, lambda: sampler.state(state.x), lambda: own)
    own, info = sampler.step(key, own)
    members = (*state.members[:place], own, *state.members[place + 1 :])
    forces = info.force_evaluations + elsewhere * sampler.forces_of_state
    info = info._replace(force_evaluations=forces.astype(info.force_evaluations.dtype))
    return ComposeState(own.x, members), info


def silent(sampler: Sampler, state: PyTree) -> Info | ComposeInfo:
    """The report of a member that did not move: zeros."""
    report = jax.eval_shape(sampler.step, jax.random.key(0), state)[1]
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), report)


def describe(theory: Theory) -> str:
    """A theory's name and the shape and type of its fields, on one line."""
    space = theory.space
    return f"{theory.name} {list(space.field_shape)} {np.dtype(space.real_dtype).name}"
