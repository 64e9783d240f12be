"""Training for long accepted jumps, as L2HMC does (1711.09268; 2105.03418), and of flows too."""

import abc
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, Shaped

from gaugemc.arrays import Field, Scalar
from gaugemc.chains.driver import start_chains
from gaugemc.kernels import cosine
from gaugemc.lattice import plaquettes
from gaugemc.observables.sine_charge import SineCharge
from gaugemc.samplers.metropolis import metropolis
from gaugemc.spaces import Links, total
from gaugemc.theories import Theory
from gaugemc.training.differences import by_differences
from gaugemc.training.proposals import Passes, Proposals
from gaugemc.training.share import WHOLE, Share

Fields = Shaped[Array, "chain ..."]
Schedule = Callable[[Int[Array, ""]], Scalar]

FORMS = ("mixed", "plain")

SMALLEST = 1e-4
"""Added to every expected squared jump, in units of the scale: 1 / 0 has no gradient."""


class Jump(eqx.Module):
    """A squared distance between two configurations, and its place in a weighted sum."""

    weight: float = 1.0
    scale: float = 1.0
    """The squared distance that counts as one."""

    def __check_init__(self) -> None:
        for name, value in (("weight", self.weight), ("scale", self.scale)):
            if not 0 < value < math.inf:
                raise ValueError(f"{name} {value} of a jump: must be positive")

    @abc.abstractmethod
    def squared(self, theory: Theory, x: Field, y: Field) -> Scalar:
        """The squared distance from x to y, in float64."""


class DistanceJump(Jump):
    """|y - x|^2, for vectors."""

    def squared(self, theory: Theory, x: Field, y: Field) -> Scalar:
        return total((y - x) ** 2)


class WhitenedJump(DistanceJump):
    """|(y - x) (F(y) - F(x))| with the force F: for vectors, and for densities with one mode.

    For a Gaussian this is the squared distance in units of the widths. A narrow direction counts as
    much as a wide one.
    """

    def squared(self, theory: Theory, x: Field, y: Field) -> Scalar:
        return jnp.abs(total((y - x) * (theory.force(y) - theory.force(x))))


class SquareJump(DistanceJump):
    """|y^2 - x^2|^2 by components, for vectors: from x to -x nothing moves."""

    def squared(self, theory: Theory, x: Field, y: Field) -> Scalar:
        return total((y**2 - x**2) ** 2)


class ChargeJump(Jump):
    """The squared change of the sine charge of two-dimensional U(1)."""

    def squared(self, theory: Theory, x: Field, y: Field) -> Scalar:
        charge, space = SineCharge(), theory.space
        before, after = theory.configuration(x), theory.configuration(y)
        return (charge(space, after) - charge(space, before)) ** 2


class PlaquetteJump(Jump):
    """|tr Y_P - tr X_P|^2 / N^2, the mean over plaquettes; of U(1) 2 (1 - cos(y_P - x_P))."""

    def squared(self, theory: Theory, x: Field, y: Field) -> Scalar:
        assert isinstance(theory.space, Links)
        group = theory.space.group
        before, after = (plaquettes(group, theory.configuration(field)) for field in (x, y))
        if group.link_shape:
            moved = jnp.trace(after - before, axis1=-2, axis2=-1) / after.shape[-1]
            return total(moved.real**2 + moved.imag**2) / moved.size
        change = group.angle(after) - group.angle(before)
        return total(2 * (1 - cosine(change))) / change.size


class LinkJump(Jump):
    """2 (1 - Re tr(Y X^-1) / N), the mean over links: the squared distance in the group."""

    def squared(self, theory: Theory, x: Field, y: Field) -> Scalar:
        assert isinstance(theory.space, Links)
        group = theory.space.group
        before, after = theory.configuration(x), theory.configuration(y)
        turned = group.trace(group.multiply(after, group.adjoint(before)))
        return total(2 * (1 - turned)) / turned.size


class ExpectedJump(eqx.Module):
    """Minus the expected squared jump of one draw, averaged over chains that run on.

    Let d = A |jump|^2 / scale, with A the acceptance. The loss of a jump is weight * mean(-d) in
    the form "plain", and weight * mean(1 / d - d) in the form "mixed", which also moves the chains
    that would rest (1711.09268, Eq. 5). The chains are draws of the sampler that is being trained,
    with a Metropolis step.

    `proposals` say what that sampler is: `Passes` of a leapfrog, or `FlowTrajectories` of
    field-transformation HMC with a flow. The chains are of the theory's own variables x, whose
    density training leaves as it is. So the gradient is that of the mean in equilibrium. With a
    flow a trajectory starts from z = f^-1(x), and the gradient holds the change of z at fixed x.
    Where the proposals have no reverse pass the gradient is a difference in each parameter, see
    `by_differences`.

    `beta` gives the coupling at each training step (annealing), for `Theory.at`.

    With an `aux_weight`, as many configurations of the prior make a proposal too. They are drawn
    anew in each step, and their loss is added with this weight. The extra loss teaches the way in
    from far away (lambda_b and q in 1711.09268, Eq. 6).
    """

    theory: Theory
    jumps: tuple[Jump, ...]
    proposals: Proposals = Passes()
    form: str = "mixed"
    beta: Schedule | None = None
    aux_weight: float = 0.0
    share: Share = WHOLE

    def __check_init__(self) -> None:
        if not self.jumps:
            raise ValueError("expected jump: needs at least one kind of jump")
        if self.form not in FORMS:
            raise ValueError(f"form {self.form}: choose {' or '.join(FORMS)}")
        if not 0 <= self.aux_weight < math.inf:
            raise ValueError(f"aux_weight {self.aux_weight}: must be finite and not negative")
        for jump in self.jumps:
            vectors = not isinstance(self.theory.space, Links)
            if isinstance(jump, DistanceJump) != vectors:
                raise ValueError(f"{type(jump).__name__}: has no meaning for {self.theory.name}")

    def start(self, model: Any, key: Key[Array, ""], chains: int) -> Fields:
        """Variables of new chains, half of them hot, for `start_training`."""
        sampler = self.proposals.sampler(self.theory, model)
        z = start_chains(sampler, key, chains).x
        return eqx.filter_jit(jax.vmap(self.proposals.outward, (None, 0)))(sampler, z)

    def __call__(
        self, model: Any, key: Key[Array, ""], step: Int[Array, ""], x: Fields
    ) -> tuple[Scalar, Fields]:
        theory = self.theory if self.beta is None else self.theory.at(self.beta(step))
        chains = x.shape[0]
        of_all = chains * self.share.parts
        keys = self.share.of(jax.random.split(key, of_all))
        if self.aux_weight:
            prior_keys = jax.random.split(jax.random.fold_in(key, of_all), (2, of_all))
            start_keys, draw_keys = map(self.share.of, prior_keys)
            x = jnp.concatenate([x, jax.vmap(theory.space.random)(start_keys)])
            keys = jnp.concatenate([keys, draw_keys])
        draws = _draws if self.proposals.has_reverse_pass(theory) else _draws_by_differences
        expected, x = draws(model, x, keys, theory, self.proposals, self.jumps)
        weights = jnp.asarray([jump.weight for jump in self.jumps], jnp.float64)
        scales = jnp.asarray([jump.scale for jump in self.jumps], jnp.float64)
        losses = self._loss(expected / scales) @ weights
        loss = jnp.mean(losses[:chains])
        if self.aux_weight:
            loss += self.aux_weight * jnp.mean(losses[chains:])
        return loss, x[:chains]

    def _loss(self, expected: Float[Array, "chain jump"]) -> Float[Array, "chain jump"]:
        if self.form == "plain":
            return -expected
        expected = expected + SMALLEST
        return 1 / expected - expected


def _draws(
    model: Any,
    x: Fields,
    keys: Key[Array, " chain"],
    theory: Theory,
    proposals: Proposals,
    jumps: tuple[Jump, ...],
) -> tuple[Float[Array, "chain jump"], Fields]:
    """The expected squared jumps of a draw of each chain, and the chains after the draw."""
    sampler = proposals.sampler(theory, model)

    def draw(key: Key[Array, ""], x: Field) -> tuple[Float[Array, " jump"], Field]:
        momentum_key, accept_key, direction_key = jax.random.split(key, 3)
        state = sampler.state(proposals.inward(sampler, x))
        v = theory.space.random_momentum(momentum_key)
        forward = jax.random.bernoulli(direction_key)
        proposal, delta_h = proposals.propose(sampler, state, v, forward)
        y = proposals.outward(sampler, proposal.x)
        after, info = metropolis(accept_key, x, y, delta_h)
        squares = [jump.squared(theory, x, y) for jump in jumps]
        return info.acceptance * jnp.stack(squares), jax.lax.stop_gradient(after)

    return jax.vmap(draw)(keys, x)


_draws_by_differences = by_differences(_draws)
