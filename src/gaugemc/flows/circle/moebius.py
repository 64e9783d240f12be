"""Mixtures of Moebius maps of the circle (2002.02428), the building block of smooth circle maps."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gaugemc.flows.circle.circle import Angle
from gaugemc.kernels import arctangent, cosine, sine


def moebius_mixture(
    x: Angle,
    scales: Float[Array, "component ..."],
    weights: Float[Array, "component ..."] | float,
    order: int = 1,
) -> tuple[Angle, Angle]:
    """y = sum_k w_k (2 / n) atan(e_k tan(n x / 2)) for order n, not wrapped, and log dy/dx.

    Each term is a smooth, odd, monotone map of the circle. A term with a scale e_k > 1 is steep
    where cos(n x) = 1, a term with 0 < e_k < 1 where cos(n x) = -1. The code adds differences from
    x, without cancellations. So the sum is exact to rounding, also for extreme scales.

    Args:
        x: angles.
        scales: e_k.
        weights: w_k, which must sum to 1 over the components; or one number for all.
        order: the number n of times that the map repeats around the circle.
    """
    c, s = cosine(order / 2 * x), sine(order / 2 * x)
    cc, ss = c * c, s * s
    turned = arctangent((scales - 1) * (s * c) / (cc + scales * ss))
    slope = scales / (cc + scales**2 * ss)
    y = x + 2 / order * jnp.sum(weights * turned, axis=0)
    return y, jnp.log(jnp.sum(weights * slope, axis=0))


def inverse_of_two(y: Angle, scales: Float[Array, "2 ..."]) -> Angle:
    """The x in [-pi, pi] whose image is y in [-pi, pi], for order 1 and two terms of equal weights.

    The sum of two arctangents makes tan y = (e_1 + e_2) t / (1 - e_1 e_2 t^2) with t = tan(x / 2).
    Of the two roots t that one is taken which has the sign of y.
    """
    c, s = cosine(y), sine(y)
    both, product = scales[0] + scales[1], scales[0] * scales[1]
    below = jnp.abs(c) * both + jnp.sqrt((c * both) ** 2 + 4 * product * s * s)
    far = c < 0  # there 1 / t is small
    angle = 2 * arctangent(2 * s * jnp.where(far, product, 1) / below)
    return jnp.where(far, jnp.copysign(np.pi, y) - angle, angle)
