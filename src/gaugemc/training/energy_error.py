"""Training for small energy errors at a fixed length, by Gauss and Newton's method."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, Key, Shaped

from gaugemc.arrays import Field, Scalar
from gaugemc.chains.driver import sample, start_chains
from gaugemc.samplers import L2HMC, GeneralisedLeapfrog, Heatbath
from gaugemc.theories import Theory

MOST = 1000
"""Parameters: the curvature is a matrix of them."""
WARMUP = 100
"""Heatbath draws of the chains before the first step."""
_MEMORY = 0.95
"""Of the curvature from one step to the next."""
_DAMPING = 1e-4
"""Added to the curvature, relative to its diagonal (Levenberg and Marquardt)."""
_EARLY_DAMPING = 0.1
"""The same while there are few draws for each parameter, fewer than `_ENOUGH`."""
_ENOUGH = 4
_LARGE = 10.0
"""dH of draws that count less: where trajectories are unstable, dH is no linear function."""
_REACH = 1.0
"""By how much a step may change dH, to first order; or by a quarter of what the whole step would
change, at most `_FARTHEST`."""
_FARTHEST = 10.0


class Chains(NamedTuple):
    """What goes on from step to step."""

    x: Shaped[Array, "chain ..."]
    curvature: Float[Array, "parameter parameter"]
    """The sum over steps of the weighted mean of (d dH)(d dH)^T, older steps with less weight."""
    weight: Float[Array, ""]
    """The sum of the weights."""


class EnergyError(eqx.Module):
    """The mean of dH^2 / 2 of proposals, at the length of trajectories that the leapfrog keeps.

    dH = H' - H - log |det J| is what the acceptance follows from. All dH are small together where
    the parameters are good, so this is a problem of least squares. Its gradient here is Gauss and
    Newton's step, (J^T J)^-1 J^T dH with J the derivatives of dH, for plain gradient descent with a
    learning rate up to 1: coefficients of an integrator differ in how much they matter by orders of
    magnitude, and nothing that looks at gradients alone finds the small ones. J^T J is averaged
    over steps and damped, and long steps are shortened. Large dH count less, see `robust`. Where dH
    is small, the mean of dH^2 grows with the volume for all parameters alike, so the minimum hardly
    depends on the volume.

    Raises:
        ValueError: the leapfrog does not keep its length, or has too many parameters.
    """

    theory: Theory
    direction: str = "palindrome"

    def start(self, leapfrog: GeneralisedLeapfrog, key: Key[Array, ""], chains: int) -> Chains:
        """Chains in equilibrium where the theory has a heatbath, and no curvature yet."""
        if leapfrog.length is None:
            raise ValueError("energy error: the leapfrog must keep its length, or it shrinks to 0")
        size = ravel_pytree(eqx.filter(leapfrog, eqx.is_inexact_array))[0].size
        if size > MOST:
            raise ValueError(f"energy error: {size} parameters, at most {MOST}")
        try:
            heatbath = Heatbath(self.theory, overrelaxation=1)
        except ValueError:  # there is none
            x = start_chains(L2HMC(self.theory, leapfrog, self.direction), key, chains).x
        else:
            x = sample(heatbath, key, chains=chains, draws=1, warmup=WARMUP).states.x
        return Chains(x, jnp.zeros((size, size), jnp.float64), jnp.zeros((), jnp.float64))

    def __call__(
        self,
        leapfrog: GeneralisedLeapfrog,
        key: Key[Array, ""],
        step: Int[Array, ""],
        chains: Chains,
    ) -> tuple[Scalar, Chains]:
        arrays, static = eqx.partition(leapfrog, eqx.is_inexact_array)
        parameters, unravel = ravel_pytree(arrays)
        here = jax.lax.stop_gradient(parameters)

        def draw(key: Key[Array, ""], x: Field) -> tuple[Scalar, Float[Array, " parameter"], Field]:
            def energy_error(parameters: Float[Array, " parameter"]) -> tuple[Scalar, Field]:
                model = eqx.combine(unravel(parameters), static)
                sampler = L2HMC(self.theory, model, self.direction)
                after, info = sampler.step(key, sampler.state(x))
                return info.delta_h, after.x

            (delta_h, x), slope = jax.value_and_grad(energy_error, has_aux=True)(here)
            return delta_h, slope, x

        keys = jax.random.split(key, len(chains.x))
        delta_h, slopes, x = jax.vmap(draw)(keys, chains.x)
        good = jnp.isfinite(delta_h) & jnp.all(jnp.isfinite(slopes), axis=1)
        weights = jnp.where(good, 1 / (1 + (delta_h / _LARGE) ** 2), 0.0)
        errors, slopes = (jnp.where(good, a.T, 0.0).T for a in (delta_h, slopes))
        # Where nothing is finite, neither is the loss, and training ends.
        loss = jnp.sum(jnp.where(good, robust(errors), 0.0)) / jnp.sum(good)
        weighted = slopes.T * weights / jnp.sum(weights)
        curvature = _MEMORY * chains.curvature + weighted @ slopes
        weight = _MEMORY * chains.weight + 1
        few = weight * len(x) < _ENOUGH * len(here)
        damping = jnp.where(few, _EARLY_DAMPING, _DAMPING)
        move = descent(curvature / weight, weighted @ errors, damping)
        # The value of the loss, with the step as its gradient.
        return loss + move @ (parameters - here), Chains(x, curvature, weight)


def robust(delta_h: Float[Array, "*draws"]) -> Float[Array, "*draws"]:
    """dH^2 / 2 where dH is small, and (c^2 / 2) log(1 + (dH / c)^2), c = 10, where it is not."""
    return _LARGE**2 / 2 * jnp.log1p((delta_h / _LARGE) ** 2)


def descent(
    curvature: Float[Array, "parameter parameter"],
    gradient: Float[Array, " parameter"],
    damping: Scalar | float = _DAMPING,
) -> Float[Array, " parameter"]:
    """Gauss and Newton's step, shortened where it would change dH by more than its reach."""
    scale = jnp.diagonal(curvature)
    tiny = jnp.finfo(jnp.float64).tiny
    damped = curvature + jnp.diag(damping * scale + tiny)
    step = jnp.linalg.solve(damped, gradient)
    change = jnp.sqrt(jnp.maximum(step @ damped @ step, tiny))
    part = jnp.minimum(jnp.maximum(_REACH / change, 0.25), _FARTHEST / change)
    return step * jnp.minimum(1.0, part)
