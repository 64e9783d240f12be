"""Knots along the circle: even in the middle, logarithmic towards +-pi."""

import functools
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gaugemc.flows.circle.circle import Angle

N_ANGLES = 64

TAIL, CORE = 1e-6, 8.0
_HALF = math.asinh(2 / TAIL) + CORE

NumpyTable = Float[np.ndarray, " n"]


def position(angle: Angle) -> Angle:
    """Where an angle in [-pi, pi] lies among the knots: from 0 to N_ANGLES.

    The difference of asinh((1 + r) / tail) and asinh((1 - r) / tail), r = angle / pi, and a line.
    """
    above, below = 1 + angle / np.pi, 1 - angle / np.pi
    ratio = (above + _length(above)) / (below + _length(below))
    return N_ANGLES * ((jnp.log(ratio) + CORE / np.pi * angle) / (2 * _HALF) + 0.5)


def position_slope(angle: Angle) -> Angle:
    """The derivative of `position`, with the same value and derivative at -pi and pi."""
    stretch = 1 / _length(1 + angle / np.pi) + 1 / _length(1 - angle / np.pi) + CORE
    return stretch * (N_ANGLES / (2 * np.pi * _HALF))


def log_slope_slope(angle: Angle) -> Angle:
    """The derivative of the log of `position_slope`."""
    above, below = 1 + angle / np.pi, 1 - angle / np.pi
    high, low = 1 / _length(above), 1 / _length(below)
    return (below * low**3 - above * high**3) / (np.pi * (high + low + CORE))


def _length(distance: Angle) -> Angle:
    return jnp.sqrt(distance * distance + TAIL**2)


@functools.cache
def inverse_position() -> tuple[NumpyTable, NumpyTable]:
    """A table for interpolation, of half the circle: positions, and their angles above -pi."""
    above = np.append(0, np.geomspace(TAIL / 100, 1, 20001))
    stretched = np.arcsinh(above / TAIL) - np.arcsinh((2 - above) / TAIL) + CORE * (above - 1)
    return N_ANGLES * (stretched / (2 * _HALF) + 0.5), np.pi * above


def angle_at(where: Float[Array, " n"]) -> Float[Array, " n"]:
    """The inverse of `position`, to 1e-5 of a knot."""
    distance = jnp.interp(jnp.minimum(where, N_ANGLES - where), *inverse_position())
    return jnp.where(where < N_ANGLES / 2, distance - np.pi, np.pi - distance)


@functools.cache
def identity_logs() -> NumpyTable:
    """Logs of the steps of the spline that is the identity at all knots."""
    knots = np.arange(N_ANGLES)
    low = np.interp(np.minimum(knots, N_ANGLES - knots), *inverse_position())
    line = 2 * np.pi * knots / N_ANGLES
    bend = np.where(knots < N_ANGLES / 2, low, 2 * np.pi - low) - line
    wave = np.fft.rfft(bend) / (2 + np.cos(2 * np.pi * np.arange(N_ANGLES // 2 + 1) / N_ANGLES)) * 3
    coefficients = np.fft.irfft(wave, N_ANGLES) + line
    return np.log(np.diff(coefficients, append=coefficients[0] + 2 * np.pi))
