"""Independent exact draws of two-dimensional U(1) gauge theory: an oracle for other samplers."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key
from scipy.special import ive

from gaugemc.arrays import Field
from gaugemc.groups.u1 import von_mises
from gaugemc.kernels import wrap
from gaugemc.lattice import gauge_transform, links_from_plaquettes
from gaugemc.samplers.sampler import Info, Sampler, always_accepted
from gaugemc.spaces import Links, is_u1_2d
from gaugemc.theories import Theory

Angles = Float[Array, " count"]
Probability = Float[Array, ""]

_TILT = 0.01  # amplitude of the first harmonic of p_m: the first rejection is then rare


class ExactU1State(NamedTuple):
    """A configuration; the next draw does not depend on it."""

    x: Field


class ExactU1(Sampler):
    """Independent draws from two-dimensional U(1) gauge theory, for any lattice and beta.

    Plaquette angles are independent von Mises variables, but for the constraint that their sum is
    0 modulo 2 pi. The draws are exact up to rounding in float64, by two rejections:

    1. All but the last m plaquettes are drawn independently, and kept with probability
       p_m(flux) / p_m(0). Here p_m is the density of the sum of m plaquettes modulo 2 pi,
       p_m(s) ~ 1 + 2 sum_k (I_k / I_0)^m cos(k s), and m is so large that p_m is nearly constant.
    2. m - 1 of the last plaquettes are drawn independently. The last plaquette closes the torus.
       All m are kept with probability p_1(last) / p_1(0), which takes sqrt(2 pi beta) trials.

    Links follow from plaquettes by a spanning tree, random Polyakov phases and a random gauge
    transformation. A draw is computed in float64 and returned in the theory's type.
    """

    theory: Theory
    beta: float
    """Decides the shapes of the draws: this sampler alone compiles anew for another beta."""

    def __init__(self, theory: Theory):
        if not is_u1_2d(theory.space):
            raise ValueError(f"exact sampler: needs 2D U(1), not {theory.name}")
        if theory.wilson_beta is None:
            raise ValueError(
                f"exact sampler: needs Wilson's action, not that of {theory.name};"
                " choose sampler=hmc"
            )
        self.theory, self.beta = theory, float(theory.wilson_beta)

    @property
    def space(self) -> Links:
        """The links of the theory."""
        assert isinstance(self.theory.space, Links)
        return self.theory.space

    def init(self, key: Key[Array, ""], hot: bool | Bool[Array, ""] = True) -> ExactU1State:
        return self.state(self.start(key, hot))

    def state(self, x: Field) -> ExactU1State:
        """The state of a chain that continues from the configuration x."""
        self.space.check(x)
        return ExactU1State(x)

    def step(self, key: Key[Array, ""], state: ExactU1State) -> tuple[ExactU1State, Info]:
        plaquette_key, phase_key, gauge_key = jax.random.split(key, 3)
        space = self.space
        links = links_from_plaquettes(self.draw_plaquettes(plaquette_key))
        phases = jax.random.uniform(phase_key, (2,), jnp.float64, -np.pi, np.pi)
        links = links.at[0, 0, :].add(phases[0]).at[1, :, 0].add(phases[1])
        omega = space.group.random(gauge_key, space.lattice, jnp.float64)
        x = gauge_transform(space.group, links, omega)
        return ExactU1State(space.project(x.astype(space.dtype))), always_accepted()

    def draw_plaquettes(self, key: Key[Array, ""]) -> Float[Array, "L0 L1"]:
        """Exact plaquette angles in [-pi, pi), shape (L_0, L_1), whose sum is 0 modulo 2 pi."""
        beta, lattice = self.beta, self.space.lattice
        volume = int(np.prod(lattice))
        closing = closing_block(beta, volume)
        free_key, closing_key = jax.random.split(key)
        free = draw_free(free_key, beta, volume - closing, closing)
        closed = draw_closing(closing_key, beta, closing, -jnp.sum(free))
        return jnp.concatenate([free, closed]).reshape(lattice)


def bessel_ratios(beta: float) -> np.ndarray:
    """I_k / I_0 for k = 1, 2, ... until they are below rounding."""
    return ive(np.arange(1, 40 + int(12 * np.sqrt(beta))), beta) / ive(0, beta)


def closing_block(beta: float, volume: int) -> int:
    """The number m of plaquettes that close the torus: enough for a nearly constant p_m, or all."""
    first = bessel_ratios(beta)[0]
    return min(volume, 1 if first < _TILT else int(np.ceil(np.log(_TILT) / np.log(first))))


def draw_free(key: Key[Array, ""], beta: float, count: int, closing: int) -> Angles:
    """`count` plaquettes of a torus that `closing` others, not drawn here, will close."""
    coefficients = bessel_ratios(beta) ** closing
    k = np.arange(1, len(coefficients) + 1)

    def propose(key: Key[Array, ""]) -> tuple[Angles, Probability]:
        angles = von_mises(key, jnp.full(count, beta, jnp.float64))
        density = 1 + 2 * jnp.sum(coefficients * jnp.cos(k * jnp.sum(angles)))
        return angles, density / (1 + 2 * coefficients.sum())

    return draw_until_accepted(key, propose)


def draw_closing(key: Key[Array, ""], beta: float, count: int, flux: Float[Array, ""]) -> Angles:
    """`count` plaquettes whose sum is `flux` modulo 2 pi."""

    def propose(key: Key[Array, ""]) -> tuple[Angles, Probability]:
        angles = von_mises(key, jnp.full(count - 1, beta, jnp.float64))
        last = wrap(flux - jnp.sum(angles))
        return jnp.append(angles, last), jnp.exp(beta * (jnp.cos(last) - 1))

    return draw_until_accepted(key, propose)


def draw_until_accepted(
    key: Key[Array, ""], propose: Callable[[Key[Array, ""]], tuple[Angles, Probability]]
) -> Angles:
    """Independent proposals until one is accepted with the probability that came with it."""

    def attempt(key: Key[Array, ""]) -> tuple[Key[Array, ""], Angles, Bool[Array, ""]]:
        key, propose_key, accept_key = jax.random.split(key, 3)
        angles, probability = propose(propose_key)
        return key, angles, jax.random.uniform(accept_key, dtype=jnp.float64) < probability

    loop = jax.lax.while_loop(lambda loop: ~loop[2], lambda loop: attempt(loop[0]), attempt(key))
    return loop[1]
