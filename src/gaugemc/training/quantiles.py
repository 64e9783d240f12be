"""The multiscale flow of 2D U(1) by quadrature: where its training starts."""

from functools import cache

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from gaugemc.flows import Multiscale
from gaugemc.flows.circle.knots import N_ANGLES, identity_logs, inverse_position
from gaugemc.flows.multiscale.multiscale import Kind
from gaugemc.flows.multiscale.split import Split
from gaugemc.flows.multiscale.split_table import N_FLUXES
from gaugemc.spaces import Links
from gaugemc.theories import Theory
from gaugemc.training.levels import Level, lattice_and_beta, level_targets

Rows = Float[np.ndarray, "flux part"]
Steps = Float[np.ndarray, "flux angle"]


def quantile_flow(theory: Theory) -> Multiscale:
    """Every split takes the knots of its spline to the quantiles of its target.

    Between the knots each map is a spline, so the flow is not exact. Training starts from here.

    Raises:
        ValueError: the theory is not 2D U(1) with Wilson's action.
    """
    logs = _log_steps(*lattice_and_beta(theory))
    space = theory.space
    assert isinstance(space, Links)
    dtype = space.real_dtype
    return Multiscale(space, {kind: Split(jnp.asarray(log, dtype)) for kind, log in logs.items()})


@cache
def _log_steps(lattice: tuple[int, ...], beta: float) -> dict[Kind, Steps]:
    """The steps of each kind of split; cached, because validation and the run both need them."""
    return {kind: _steps(level) for kind, level in level_targets(lattice, beta).items()}


def _steps(level: Level) -> Steps:
    """Logs of the steps between quantiles, relative to the steps of the identity."""
    n = len(level.part)
    parts = np.arange(n + 1) - n // 2  # A on the grid, from -pi to pi
    fluxes = np.arange(N_FLUXES) * (n // N_FLUXES)
    log_p = level.part[parts % n] + level.rest[(fluxes[:, None] - parts) % n]
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    cells = (p[:, 1:] + p[:, :-1]) / 2
    # From both ends of the circle: probabilities next to 1 would lose their digits.
    steps = np.hstack([_half(cells), _half(cells[:, ::-1])[:, ::-1]])
    return np.log(steps) - identity_logs()


def _half(cells: Rows) -> Steps:
    """Steps between the quantiles at the knots of the first half of the circle."""
    edges = np.linspace(0, 2 * np.pi, cells.shape[1] + 1)
    knots = np.interp(np.arange(N_ANGLES // 2 + 1), *inverse_position()) / (2 * np.pi)
    probability = np.pad(np.cumsum(cells, axis=1), ((0, 0), (1, 0)))
    return np.stack([np.diff(np.interp(knots, row / row[-1], edges)) for row in probability])
