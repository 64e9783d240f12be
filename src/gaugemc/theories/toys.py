"""Toy densities that are hard to sample, with exact moments (1711.09268, section 5)."""

import abc
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Key
from scipy.special import ive

from gaugemc.arrays import Field, Scalar
from gaugemc.spaces import Euclidean, total
from gaugemc.theories.gaussian import Gaussian
from gaugemc.theories.theory import Theory


def strongly_correlated_gaussian(dtype: DTypeLike = jnp.float64) -> Gaussian:
    """Variances 100 along (1, -1) and 0.1 along (1, 1). Chains start within the narrow width.

    Chains that start farther out are in tails that a trained sampler has never seen, and may stay.
    """
    covariance = jnp.asarray([[50.05, -49.95], [-49.95, 50.05]], dtype)
    return Gaussian(jnp.zeros(2, dtype), covariance, "strongly correlated Gaussian", 0.3)


def ill_conditioned_gaussian(n: int = 50, dtype: DTypeLike = jnp.float64) -> Gaussian:
    """n independent components with variances from 0.01 to 100, evenly spaced in the logarithm."""
    variances = np.logspace(-2, 2, n)
    covariance = jnp.diag(jnp.asarray(variances, dtype))
    return Gaussian(jnp.zeros(n, dtype), covariance, "ill-conditioned Gaussian", 0.1)


class Toy(Theory):
    """A density on R^n. Observables: `first`, the component x_0, and its square."""

    @property
    def leading(self) -> tuple[str, ...]:
        return ("first", "first_squared")

    def observables(self, x: Field) -> dict[str, Scalar]:
        first = x[0].astype(jnp.float64)
        return {"first": first, "first_squared": first**2}

    @abc.abstractmethod
    def exact_observables(self) -> dict[str, float]:
        """The exact means of the observables."""


class TwoModes(Euclidean):
    """R^n whose chains start in one of two modes at +-`centre` on the first axis.

    A trained sampler has seen nothing between the modes. Chains that start between them may stay.
    """

    centre: float = 0.0

    def random(self, key: Key[Array, ""]) -> Field:
        side_key, key = jax.random.split(key)
        return super().random(key) + jax.random.rademacher(side_key, dtype=self.dtype) * self.shift

    def origin(self) -> Field:
        return self.shift

    def log_reference(self, x: Field) -> Scalar:
        both = [super(TwoModes, self).log_reference(x + s * self.shift) for s in (-1, 1)]
        return jax.nn.logsumexp(jnp.stack(both)) - math.log(2)

    @property
    def shift(self) -> Field:
        """The mode on the positive side."""
        return jnp.zeros(self.shape, self.dtype).at[0].set(self.centre)


class TwoGaussians(Toy):
    """An equal mixture of two isotropic Gaussians at +-`distance` / 2 on the first axis.

    The observable `side` is the sign of x_0. It says in which of the two modes the chain is.
    """

    space: Euclidean
    distance: float = 4.0
    variance: float = 0.1

    def __init__(
        self,
        n: int = 2,
        distance: float = 4.0,
        variance: float = 0.1,
        dtype: DTypeLike = jnp.float64,
    ):
        if n < 1 or not variance > 0:
            raise ValueError(f"n {n}, variance {variance}: must be at least 1, and positive")
        self.space = TwoModes((n,), dtype, math.sqrt(variance), distance / 2)
        self.distance = distance
        self.variance = variance

    @property
    def name(self) -> str:
        return "two Gaussians"

    @property
    def leading(self) -> tuple[str, ...]:
        return ("side", "first_squared")

    def action(self, x: Field) -> Scalar:
        centre = self.distance / 2
        squares = [(x[0] - c) ** 2 + jnp.sum(x[1:] ** 2) for c in (-centre, centre)]
        return -jax.nn.logsumexp(-jnp.stack(squares).astype(jnp.float64) / (2 * self.variance))

    def observables(self, x: Field) -> dict[str, Scalar]:
        return super().observables(x) | {"side": jnp.sign(x[0]).astype(jnp.float64)}

    def exact_observables(self) -> dict[str, float]:
        square = self.distance**2 / 4 + self.variance
        return {"first": 0.0, "first_squared": square, "side": 0.0}


class RoughWell(Toy):
    """S = x^2 / 2 + a sum_i cos(x_i / a): a unit normal with ripples of size a."""

    space: Euclidean
    ripple: float = 0.01

    def __init__(self, n: int = 2, ripple: float = 0.01, dtype: DTypeLike = jnp.float64):
        if n < 1 or not ripple > 0:
            raise ValueError(f"n {n}, ripple {ripple}: must be at least 1, and positive")
        self.space = Euclidean((n,), dtype)
        self.ripple = ripple

    @property
    def name(self) -> str:
        return "rough well"

    def action(self, x: Field) -> Scalar:
        return total(x**2 / 2 + self.ripple * jnp.cos(x / self.ripple))

    def force(self, x: Field) -> Field:
        return x - jnp.sin(x / self.ripple)

    def exact_observables(self) -> dict[str, float]:
        """From exp(-a cos y) = I_0(a) + 2 sum_k (-1)^k I_k(a) cos(k y), term by term."""
        k = np.arange(1, 60)
        waves = k / self.ripple
        weights = 2 * (-1.0) ** k * ive(k, self.ripple) * np.exp(-(waves**2) / 2)
        norm = ive(0, self.ripple) + weights.sum()
        square = (ive(0, self.ripple) + np.sum(weights * (1 - waves**2))) / norm
        return {"first": 0.0, "first_squared": float(square)}


class Funnel(Toy):
    """x_0 is normal with standard deviation `width`, all others with variance exp(x_0) (Neal)."""

    space: Euclidean
    width: float = 3.0

    def __init__(self, n: int = 2, width: float = 3.0, dtype: DTypeLike = jnp.float64):
        if n < 2 or not width > 0:
            raise ValueError(f"n {n}, width {width}: must be at least 2, and positive")
        self.space = Euclidean((n,), dtype)
        self.width = width

    @property
    def name(self) -> str:
        return "funnel"

    def action(self, x: Field) -> Scalar:
        neck = x[0].astype(jnp.float64)
        others = total(x[1:] ** 2) * jnp.exp(-neck) / 2 + (x.size - 1) / 2 * neck
        return neck**2 / (2 * self.width**2) + others

    def exact_observables(self) -> dict[str, float]:
        return {"first": 0.0, "first_squared": self.width**2}


class Ring(Toy):
    """S = (r - radius)^2 / (2 width^2) in the plane, r = |x|. The observable `radius` is r."""

    space: Euclidean
    radius: float = 2.0
    width: float = 0.4

    def __init__(self, radius: float = 2.0, width: float = 0.4, dtype: DTypeLike = jnp.float64):
        if not (radius >= 0 and width > 0):
            raise ValueError(f"radius {radius}, width {width}: must not be negative, and positive")
        self.space = Euclidean((2,), dtype)
        self.radius = radius
        self.width = width

    @property
    def name(self) -> str:
        return "ring"

    @property
    def leading(self) -> tuple[str, ...]:
        return ("first", "radius")

    def action(self, x: Field) -> Scalar:
        return (self._distance(x) - self.radius) ** 2 / (2 * self.width**2)

    def force(self, x: Field) -> Field:
        """Zero in the centre, where the action has a cusp."""
        r = self._distance(x)
        direction = x / jnp.where(r > 0, r, 1).astype(x.dtype)
        return direction * ((r - self.radius) / self.width**2).astype(x.dtype)

    def observables(self, x: Field) -> dict[str, Scalar]:
        return super().observables(x) | {"radius": self._distance(x)}

    def exact_observables(self) -> dict[str, float]:
        """From M_k = int_0^inf r^k exp(-S) dr, M_{k+1} = radius M_k + k width^2 M_{k-1}."""
        a, w = self.radius, self.width
        moments = [w * math.sqrt(math.pi / 2) * (1 + math.erf(a / (w * math.sqrt(2))))]
        moments.append(a * moments[0] + w**2 * math.exp(-(a**2) / (2 * w**2)))
        for k in (1, 2):
            moments.append(a * moments[k] + k * w**2 * moments[k - 1])
        square = moments[3] / moments[1]
        return {"first": 0.0, "first_squared": square / 2, "radius": moments[2] / moments[1]}

    def _distance(self, x: Field) -> Scalar:
        square = total(x**2)
        inside = square > 0  # the derivative of the square root at 0 is not finite
        return jnp.where(inside, jnp.sqrt(jnp.where(inside, square, 1)), 0)


TOYS: dict[str, Callable[[DTypeLike], Gaussian | Toy]] = {
    "correlated_gaussian": strongly_correlated_gaussian,
    "ill_conditioned_gaussian": lambda dtype: ill_conditioned_gaussian(dtype=dtype),
    "two_gaussians": lambda dtype: TwoGaussians(dtype=dtype),
    "rough_well": lambda dtype: RoughWell(dtype=dtype),
    "funnel": lambda dtype: Funnel(dtype=dtype),
    "ring": lambda dtype: Ring(dtype=dtype),
}
"""The toys by the names that a run knows them by."""
