"""The generalised leapfrog of L2HMC: an invertible map of phase space, with networks inside.

Layer k, with step size e and frozen part m (1711.09268, section 4; 2105.03418, section 3):

    v' = exp(e s / 2) v - (e / 2) (F exp(e q) + t),                 (s, t, q) from x and F
    x' = m x + (1 - m) [exp(e s) x + e (v exp(e q) + t)],           (s, t, q) from m x and v

in the order v, x with m, x with 1 - m, v. The last kick of layer k and the first kick of layer
k + 1 are at the same x. Both use the outputs of momentum network k + 1 (after the last layer of a
pass network 0, or that of the turn where a palindrome turns back). So momentum networks are
evaluated once a leapfrog step.

On the circle, the Moebius map 2 atan(exp(e s) tan(x / 2)) takes the place of exp(e s) x. The
published update for the way back undoes the Moebius map before the shift. That update is not the
inverse, and it biases the sampler. Here every step is undone, in reverse order.

On SU(N) links move by exp(e (v exp(e q) + t)) from the left, with s = 0: the map stays on the group
and keeps its measure. One number s of a momentum scales all its N^2 - 1 components.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from gaugemc.kernels import native
from gaugemc.samplers.hmc.integrator import PhasePoint
from gaugemc.samplers.l2hmc.layers import Layers, select
from gaugemc.samplers.l2hmc.updates import (
    Backward,
    Field,
    Outputs,
    Scalar,
    directed,
    momentum_map,
    position_map,
)
from gaugemc.spaces import Links
from gaugemc.theories import Theory


class GeneralisedLeapfrog(Layers):
    """The map that the layers make: what L2HMC trains."""

    def forward(self, theory: Theory, start: PhasePoint) -> tuple[PhasePoint, Scalar]:
        """The map, and the log of its Jacobian determinant in (x, v), in float64."""
        return self.traverse(theory, start, (False,))[:2]

    def backward(self, theory: Theory, start: PhasePoint) -> tuple[PhasePoint, Scalar]:
        """The inverse of `forward`, and the log of its Jacobian determinant."""
        return self.traverse(theory, start, (True,))[:2]

    def palindrome(self, theory: Theory, start: PhasePoint) -> tuple[PhasePoint, Scalar]:
        """`forward`, a flip of the momentum, `backward`: a map that is its own inverse."""
        return self.traverse(theory, start, (False, True))[:2]

    def traverse(
        self,
        theory: Theory,
        start: PhasePoint,
        passes: tuple[bool | Backward, ...],
        observe: Callable[[PhasePoint, Scalar], PyTree] | None = None,
    ) -> tuple[PhasePoint, Scalar, PyTree]:
        """Passes through all layers, forward (False) and backward in turn, with flips between them.

        `start.force` is `force(theory, start.x)`. `observe` sees the phase and the log-det after
        each layer. Returns the end, the log-det, and what was observed. Where kicks are forces of
        compiled kernels, one call of a kernel does everything.
        """
        arguments = self, theory, start, passes
        couplings = None if observe else self._compiled_couplings(theory)
        if couplings is None:
            return GeneralisedLeapfrog._in_layers(*arguments, observe)
        assert isinstance(theory.space, Links)
        run = _compiled
        if "trajectory_pull" not in theory.space.kernels:
            twin = GeneralisedLeapfrog._in_layers
            run = native.twinned(_compiled, lambda _, *arguments: twin(*arguments))
        return run(couplings, *arguments)

    def _compiled_couplings(self, theory: Theory) -> Float[Array, "node number"] | None:
        """The couplings of each momentum network, if a kernel can make whole trajectories."""
        if self.positions or not isinstance(theory.space, Links):
            return None
        of_nodes = jax.vmap(lambda k: self.momentum_of(k).compiled_couplings(theory))
        couplings = of_nodes(jnp.arange(self.n_layers + (self.turn is not None)))
        return jnp.stack(couplings, axis=1) if couplings else None

    def _in_layers(
        self,
        theory: Theory,
        start: PhasePoint,
        passes: tuple[bool | Backward, ...],
        observe: Callable[[PhasePoint, Scalar], PyTree] | None = None,
    ) -> tuple[PhasePoint, Scalar, PyTree]:
        """`traverse` as a loop of JAX, for any space and any networks.

        All layers of all passes are one loop, so that they are compiled once. The reverse pass
        computes each layer again, which is quicker than to store its values.
        """
        kick, move = momentum_map(theory.space), position_map(theory.space)
        separate = self.split()[0]
        times = self.times(theory.space)
        layers, nodes = self.path(passes)
        flips = np.arange(len(passes) * self.n_layers) % self.n_layers == 0
        flips[0] = False

        def outputs_at(node: Int[Array, ""], x: Field, force: Field) -> Outputs:
            return self.momentum_of(node)(x, force, times[node])

        @partial(jax.checkpoint, prevent_cse=False)
        def layer(
            carry: tuple[PhasePoint, Outputs, Scalar],
            index: tuple[Int[Array, ""], Int[Array, ""], Backward, Backward],
        ) -> tuple[tuple[PhasePoint, Outputs, Scalar], PyTree]:
            (x, v, force), outputs, log_det = carry
            k, node, backward, flip = index
            e, mask = self.step_sizes[k].astype(theory.space.real_dtype), self.masks[k]
            v, change = directed(kick, backward, jnp.where(flip, -v, v), force, outputs, e)
            log_det = log_det + change

            def move_part(
                carry: tuple[Field, Scalar], part: tuple[Int[Array, ""], PyTree]
            ) -> tuple[tuple[Field, Scalar], None]:
                x, log_det = carry
                frozen = mask != part[0]
                outputs = network(part[1])(jnp.where(frozen, x, 0), v, frozen, times[k])
                x, change = directed(move, backward, x, v, frozen, outputs, e)
                return (x, log_det + change), None

            if self.positions:
                network, parts = self.parts(select(separate[1], k), backward)
                (x, log_det), _ = jax.lax.scan(move_part, (x, log_det), parts)
            else:
                x = theory.space.move(x, v, jnp.where(backward, -e, e))
            force = self.momentum_of(node).force(theory, x)
            outputs = outputs_at(node, x, force)
            v, change = directed(kick, backward, v, force, outputs, e)
            phase, log_det = PhasePoint(x, v, force), log_det + change
            return (phase, outputs, log_det), None if observe is None else observe(phase, log_det)

        first = outputs_at(jnp.asarray(0), start.x, start.force)
        carry = (start, first, jnp.zeros((), jnp.float64))
        backward = jnp.concatenate([jnp.full(self.n_layers, back) for back in passes])
        (end, _, log_det), seen = jax.lax.scan(
            layer, carry, (layers, nodes, backward, jnp.asarray(flips))
        )
        return end, log_det, seen


def _compiled(
    couplings: Float[Array, "node number"],
    leapfrog: GeneralisedLeapfrog,
    theory: Theory,
    start: PhasePoint,
    passes: tuple[bool | Backward, ...],
) -> tuple[PhasePoint, Scalar, None]:
    """All passes as one trajectory.

    A pass backward from v is a pass forward from -v through the layers in reverse order, with the
    opposite momentum at its end. So flips between passes cancel.
    """
    layers, nodes = leapfrog.path(passes)
    e = leapfrog.step_sizes[layers]
    kicks = (jnp.pad(e, (0, 1)) + jnp.pad(e, (1, 0))) / 2
    v = jnp.where(passes[0], -start.v, start.v)
    x, v, force = native.stages(start.x, v, start.force, couplings[nodes], kicks, e)
    end = PhasePoint(x, jnp.where(passes[-1], -v, v), force)
    return end, jnp.zeros((), jnp.float64), None
