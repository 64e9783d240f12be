"""The gradient flow: steepest descent of an action, which smooths a configuration."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from gaugemc.arrays import Field, Scalar, is_positive, known
from gaugemc.kernels import native
from gaugemc.spaces import Links
from gaugemc.theories.improved import RECTANGLES, Improved
from gaugemc.theories.theory import Theory
from gaugemc.theories.wilson import Wilson


def flow_kernel(space: Links, kernel: str = "wilson") -> Wilson:
    """The action whose gradient is the flow on links, of unit weight: beta = 2 N for SU(N).

    So the flow time is that of 1006.4518, Eq. 1.4, in units of the lattice spacing squared. The
    flow has the precision of the space.

    Raises:
        ValueError: there is no such kernel.
    """
    if kernel not in RECTANGLES:
        raise ValueError(f"kernel {kernel!r}: choose one of {', '.join(RECTANGLES)}")
    beta, c1 = space.group.unit_beta, RECTANGLES[kernel]
    return Improved(space, beta, c1=c1) if c1 else Wilson(space, beta)


_STAGES = ((1 / 4, 0.0), (8 / 9, -17 / 9), (3 / 4, -1.0))
"""a and b of the three stages z -> a F(x) + b z, x -> exp(-h z) x of Luescher's scheme."""


def _positive(value: ArrayLike, name: str) -> Scalar:
    if known(value) and not is_positive(value):
        raise ValueError(f"{name} {value}: must be positive and finite")
    return jnp.asarray(value, jnp.float64)


def largest_step(space: Links, kernel: str = "wilson") -> float:
    """Of the flow of `flow_kernel`: by longer ones the shortest waves of a smooth field grow.

    These have the eigenvalue 4 d (1 - 8 c1), and the scheme damps up to z = 2.51, where its
    1 - z + z^2 / 2 - z^3 / 6 is -1.
    """
    return _largest_step(space, RECTANGLES[kernel])


def _largest_step(space: Links, c1: float, weight: float = 1.0) -> float:
    return 2.51 / (4 * len(space.lattice) * (1 - 8 * c1) * weight)


def stable_flow(
    space: Links, kernel: str = "wilson", step: float = 0.05, tolerance: float | None = None
) -> "GradientFlow":
    """The flow on links in steps of this size, or of `largest_step` where that is smaller.

    Raises:
        ValueError: as `flow_kernel` and `GradientFlow`.
    """
    theory = flow_kernel(space, kernel)
    return GradientFlow(theory, min(step, largest_step(space, kernel)), tolerance)


LEAST_TOLERANCE = 1e-12
"""Below it the two schemes of a step differ by rounding alone."""


def flow_times(time: float, step: float) -> Float[np.ndarray, " time"]:
    """0, the multiples of the step, and the end of the flow: where a flow is measured."""
    before = np.arange(0, time - 1e-9 * step, step)
    return np.append(before if before.size or time == 0 else 0.0, time)


def _default_step(kernel: Theory) -> float:
    if not (isinstance(kernel, Wilson) and known(kernel.beta) and kernel.beta > 0):
        return 0.02
    c1 = kernel.c1 if isinstance(kernel, Improved) else 0.0
    weight = float(kernel.beta) / kernel.space.group.unit_beta
    return min(0.02, _largest_step(kernel.space, min(c1, 0.0), weight))


class GradientFlow(eqx.Module):
    """dx/dt = -dS/dx, by Luescher's Runge-Kutta scheme of third order (1006.4518, appendix C).

    The links stay in their group, to the rounding that x has. Where there is a tolerance, the size
    of each step follows from an embedded scheme of second order (1301.4388, appendix D): a step is
    accepted where the two schemes differ by at most the tolerance, in the norm of any link.

    Args:
        kernel: the theory of S, as `flow_kernel` makes it.
        step: the size of steps in flow time, or of the first one where there is a tolerance. By
            default 0.02, or `largest_step` where that is smaller.
        tolerance: of one step, at least 1e-12, or None for steps of a fixed size.

    Raises:
        ValueError: no theory, or a step or a tolerance out of range; in a call, a time.
    """

    kernel: Theory
    step: Scalar
    tolerance: Scalar | None

    def __init__(
        self, kernel: Theory, step: ArrayLike | None = None, tolerance: ArrayLike | None = None
    ) -> None:
        if not isinstance(kernel, Theory):
            raise ValueError(
                f"gradient flow: needs a theory, as of flow_kernel, not {type(kernel).__name__}"
            )
        self.kernel = kernel
        self.step = _positive(_default_step(kernel) if step is None else step, "step")
        self.tolerance = None if tolerance is None else _positive(tolerance, "tolerance")
        if tolerance is not None and known(tolerance) and np.asarray(tolerance) < LEAST_TOLERANCE:
            raise ValueError(f"tolerance {tolerance}: must be at least {LEAST_TOLERANCE:g}")

    def __call__(self, x: Field, time: ArrayLike) -> Field:
        """The configuration x after a flow time.

        Fixed steps are the largest equal ones of at most `step`. Times, steps and tolerances are
        data: others compile nothing anew.
        """
        if known(time) and not 0 <= np.asarray(time) < np.inf:
            raise ValueError(f"flow time {time}: must be finite and not negative")
        return self._flowed(x, jnp.asarray(time, jnp.float64))

    def in_steps(self, x: Field, count: int) -> Field:
        """The configuration x after so many steps of the fixed size. Of this a derivative exists.

        The derivative goes through each step anew, so that memory holds one field a step.
        """

        def step(x: Field, _: None) -> tuple[Field, None]:
            return self._step(x, self.step)[0], None

        x = jnp.asarray(x, self.kernel.space.field_dtype)
        return jax.lax.scan(jax.checkpoint(step), x, length=count)[0]

    @eqx.filter_jit
    def _flowed(self, x: Field, time: Scalar) -> Field:
        x = jnp.asarray(x, self.kernel.space.field_dtype)
        if self.tolerance is None:
            return self._fixed(x, time)
        return self._adapted(x, time, self.tolerance)

    def _fixed(self, x: Field, time: Scalar) -> Field:
        steps = jnp.ceil(time / self.step - 1e-9).astype(int)
        size = time / jnp.maximum(steps, 1)
        couplings, flow = self.kernel.compiled_couplings, self._in_stages
        space = self.kernel.space
        if couplings and isinstance(space, Links) and "flow" in space.kernels:
            flow = native.twinned(functools.partial(native.flow, stages=_STAGES), flow)
        return flow(x, couplings, size, steps)

    def _in_stages(
        self, x: Field, _: native.Couplings, size: Scalar, steps: Int[Array, ""]
    ) -> Field:
        return jax.lax.fori_loop(0, steps, lambda _, x: self._step(x, size)[0], x)

    def _adapted(self, x: Field, time: Scalar, tolerance: Scalar) -> Field:
        """Steps as large as the tolerance allows; NaN where no step is small enough."""
        space = self.kernel.space

        def attempt(state: tuple[Field, Scalar, Scalar]) -> tuple[Field, Scalar, Scalar]:
            x, now, size = state
            last = size >= time - now
            size = jnp.minimum(size, time - now)
            third, z = self._step(x, size)
            second = space.move(x, (9 * z[1] + z[0]) / 4, -size)
            difference = jnp.sqrt(jnp.max(space.square(third - second)))
            rejected = difference > tolerance
            after = jnp.where(last, time, now + size) + 0 * difference
            after = jnp.where(size < 1e-9 * self.step, jnp.nan, jnp.where(rejected, now, after))
            factor = 0.95 * (tolerance / difference) ** (1 / 3)
            return (
                jnp.where(rejected, x, third),
                after,
                size * jnp.clip(factor, 0.1, 5.0),
            )

        start = (x, jnp.zeros_like(time), self.step)
        x, now, _ = jax.lax.while_loop(lambda state: state[1] < time, attempt, start)
        return jnp.where(jnp.isnan(now), jnp.nan, x)

    def _step(self, x: Field, size: Scalar) -> tuple[Field, Field]:
        """One step of third order, and the z of its stages."""
        space = self.kernel.space

        def stage(state: tuple[Field, Field], ab: Field) -> tuple[tuple[Field, Field], Field]:
            x, z = state
            z = ab[0] * self.kernel.force(x) + ab[1] * z
            return (space.move(x, z, -size), z), z

        stages = jnp.asarray(_STAGES, space.real_dtype)
        (x, _), z = jax.lax.scan(stage, (x, jnp.zeros_like(x)), stages)
        return x, z
