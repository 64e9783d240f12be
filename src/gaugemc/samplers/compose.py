"""Several kernels of one theory as one kernel: a cycle through them, or a mixture of them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Key, Shaped

from gaugemc.samplers.hmc import HMC
from gaugemc.samplers.sampler import Info, Sampler
from gaugemc.theories import Theory

Field = Shaped[Array, "..."]


class ComposeState(NamedTuple):
    """A chain: its variable alone; each member makes its own state from it."""

    x: Field


class Compose(Sampler):
    """Kernels that share a theory, and so its density, as one exact kernel (Tierney 1994).

    Without `probabilities` a step is a cycle: every member moves once, in order. With them it is a
    mixture: one member moves, drawn with these fixed probabilities. Each member leaves the density
    invariant, and so does the composition; it is ergodic if one member is (with a probability that
    is not 0). Chains start as those of the first member do.

    What a step reports: `accepted` and `delta_h` of the member that moved last, so that
    `<exp(-delta_h)> = 1` as for each member; `acceptance`, the mean over the members that moved;
    `force_evaluations`, their sum. Over many chains at once JAX computes a mixture's members all
    and keeps one, so a step takes as long as a cycle's.

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

    def init(self, key: Key[Array, ""], hot: bool | Bool[Array, ""] = True) -> ComposeState:
        return self.state(self.samplers[0].init(key, hot).x)

    def state(self, x: Field) -> ComposeState:
        """The state of a chain that continues from the variable x."""
        return ComposeState(x)

    def step(self, key: Key[Array, ""], state: ComposeState) -> tuple[ComposeState, Info]:
        if self.probabilities is None:
            return self._cycle(key, state)
        choice_key, move_key = jax.random.split(key)
        bounds = jnp.asarray(np.cumsum(self.probabilities)[:-1])
        chosen = jnp.sum(jax.random.uniform(choice_key, dtype=jnp.float64) >= bounds)
        return jax.lax.switch(chosen, [move(s) for s in self.samplers], move_key, state)

    def _cycle(self, key: Key[Array, ""], state: ComposeState) -> tuple[ComposeState, Info]:
        infos: list[Info] = []
        for sampler, member_key in zip(self.samplers, jax.random.split(key, len(self.samplers))):
            state, info = move(sampler)(member_key, state)
            infos.append(info)
        return state, infos[-1]._replace(
            acceptance=jnp.mean(jnp.stack([info.acceptance for info in infos])),
            force_evaluations=jnp.sum(
                jnp.stack([info.force_evaluations for info in infos]), dtype=jnp.int32
            ),
        )


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


Move = Callable[[Key[Array, ""], ComposeState], tuple[ComposeState, Info]]


def move(sampler: Sampler) -> Move:
    """One step of a sampler from x to x, with a state of its own that is made anew."""

    def step(key: Key[Array, ""], state: ComposeState) -> tuple[ComposeState, Info]:
        after, info = sampler.step(key, sampler.state(state.x))
        return ComposeState(after.x), info

    return step


def describe(theory: Theory) -> str:
    """A theory's name and the shape and type of its fields, on one line."""
    space = theory.space
    return f"{theory.name} {list(space.field_shape)} {np.dtype(space.real_dtype).name}"
