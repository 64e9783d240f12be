"""Toys: independent draws per gradient, of trained L2HMC and of HMC (1711.09268, section 5.1).

L2HMC is what the program trains with its default settings. HMC has leapfrog steps: ten, as in the
paper, with the best of a grid of step sizes; or as many as are best, a tuned length. Of all
observables the one counts that is slowest, so that moves which leave an observable as it is (from x
to -x, say) win nothing.
"""

from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ladder import run
from measure import Row

from gaugemc.chains import sample
from gaugemc.chains.driver import Draws
from gaugemc.io.ensemble import read_draws
from gaugemc.samplers import HMC
from gaugemc.statistics.autocorrelation import estimate
from gaugemc.theories import TOYS, Theory

STEPS = 10
SIZES = tuple(0.06 * 1.22**k for k in range(14))
"""From 0.06 to 0.8, beyond what any of the toys accepts."""


class Efficiency(NamedTuple):
    """Independent draws per gradient."""

    value: float
    error: float
    bound: bool
    """Whether chains were too short, and the value is only an upper bound."""


class Best(NamedTuple):
    """The best HMC of a grid."""

    efficiency: Efficiency
    step_size: float
    n_steps: int
    draws: Draws


def slowest(observables: Mapping[str, Mapping[str, Any]], gradients: float) -> Efficiency:
    """That of the observable with the longest autocorrelation time."""
    slow = max(observables.values(), key=lambda o: o["tau_int"])
    value = 1 / (2 * slow["tau_int"] * gradients)
    error = value * (slow["tau_int_error"] or np.inf) / slow["tau_int"]
    return Efficiency(value, error, bool(slow["lower_bound"]))


def best_hmc(theory: Theory, sizes: tuple[float, ...], counts: tuple[int, ...]) -> Best:
    """The most efficient HMC of all step sizes and numbers of steps."""
    tried = []
    for size, n in product(sizes, counts):
        draws = sample(
            HMC(theory, size, n), jax.random.key(3), chains=32, draws=2000, warmup=500
        ).draws
        analysed = {name: estimate(v)._asdict() for name, v in draws.observables.items()}
        tried.append(Best(slowest(analysed, n), size, n, draws))
    return max(tried, key=lambda b: b.efficiency.value)


def ratio(what: str, ours: Efficiency, theirs: Efficiency, target: str | None = None) -> Row:
    """Ours over theirs; a lower bound where theirs is only known from above."""
    value = ours.value / theirs.value
    relative = np.hypot(ours.error / ours.value, 0 if theirs.bound else theirs.error / theirs.value)
    return Row(what, value, float(value * relative), target, bound=theirs.bound)


def rows(toy: str, directory: Path, targets: tuple[str | None, str | None]) -> list[Row]:
    """Train L2HMC on a toy, and compare it with both kinds of HMC."""
    summary = run(
        directory / f"toy-{toy}", f"theory={toy}", "sampler=l2hmc", "evaluate.hmc_draws=0"
    )
    theory, measured = TOYS[toy](jnp.float64), summary["evaluate"]
    gradients = measured["force_evaluations"]
    trained = slowest(measured["observables"], gradients)
    ten = best_hmc(theory, SIZES, (STEPS,))
    sizes = tuple(ten.step_size * factor for factor in (0.7, 0.85, 1.0))
    tuned = best_hmc(theory, sizes, (3, 5, 15, 20, 25, 30, 50, 100))
    tuned = max(ten, tuned, key=lambda b: b.efficiency.value)
    name = f"{theory.name}, L2HMC of {gradients:.0f} gradients"
    result = [
        Row(f"{name}: independent draws per gradient", trained.value, trained.error),
        ratio(
            f"{name}: the same over HMC of 10 steps of {ten.step_size:.2f}",
            *(trained, ten.efficiency, targets[0]),
        ),
        ratio(
            f"{name}: the same over HMC of {tuned.n_steps} steps of {tuned.step_size:.2f}",
            *(trained, tuned.efficiency, targets[1]),
        ),
    ]
    if "side" in measured["observables"]:
        draws = read_draws(directory / f"toy-{toy}" / "chains" / "evaluate.h5")[0]
        for label, d, cost in (("L2HMC", draws, gradients), ("HMC of 10 steps", ten.draws, STEPS)):
            crossed = np.mean(np.diff(d.observables["side"], axis=1) != 0)
            what = f"{theory.name}, {label}: changes of side per 1000 gradients"
            result.append(Row(what, float(1000 * crossed / cost)))
    return result


def short(directory: Path) -> list[Callable[[], list[Row]]]:
    """The toys with a target."""
    return [
        lambda: rows("correlated_gaussian", directory, (">= 100", ">= 2")),
        lambda: rows("two_gaussians", directory, (None, None)),
    ]


def rest(directory: Path) -> list[Callable[[], list[Row]]]:
    """The other toys of the paper."""
    return [
        lambda: rows("ill_conditioned_gaussian", directory, (None, None)),
        lambda: rows("rough_well", directory, (None, None)),
    ]
