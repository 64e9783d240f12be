"""Training for the forces of a coarser lattice (2201.01862)."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key, PyTree

from gaugemc.arrays import Field, Scalar
from gaugemc.flows import Flow
from gaugemc.samplers import Heatbath, Sampler
from gaugemc.theories import Theory
from gaugemc.training.equilibrium import equilibrium, moved
from gaugemc.training.share import WHOLE, Share

POWERS = (2, 4, 8)
"""Of the norms in the loss: high ones see the few large forces that limit the step size."""


class ForceMatch(eqx.Module):
    """The mean over p of (mean over links of |F(z) - F'(z)|^p)^(1/p), p = 2, 4, 8.

    F is the force in the variables of the flow, of S(f(z)) - log |det J(z)|. F' is the force of the
    same action at a smaller coupling, beta'. With equal forces HMC moves in z as it moves at beta'.
    The configurations z are draws at beta', of heatbath chains that run on.

    Raises:
        ValueError: the action has no heatbath.
    """

    theory: Theory
    source: Sampler
    share: Share

    def __init__(self, theory: Theory, beta: Scalar | float):
        self.theory, self.share = theory, WHOLE
        self.source = Heatbath(theory.at(beta), overrelaxation=1)

    def start(self, key: Key[Array, ""], chains: int) -> PyTree:
        """States of chains in equilibrium, for `start_training`."""
        return equilibrium(self.source, key, chains)

    def __call__(
        self, flow: Flow, key: Key[Array, ""], step: Int[Array, ""], states: PyTree
    ) -> tuple[Scalar, PyTree]:
        transformed = self.theory.pullback(flow.fixed())

        def mismatch(z: Field) -> Scalar:
            difference = transformed.force(z) - self.source.theory.force(z)
            squares = self.theory.space.square(difference).astype(jnp.float64)
            norms = [jnp.mean(squares ** (p / 2)) ** (1 / p) for p in POWERS]
            return jnp.mean(jnp.stack(norms))

        states = moved(self.source, self.share, key, states)
        return jnp.mean(jax.vmap(mismatch)(states.x)), states
