"""Checks of chains: `<exp(-dH)> = 1` for each kernel, exact values, and convergence."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float

from gaugemc.chains.driver import Draws
from gaugemc.checks.outcome import Check, failed, normal, undecided
from gaugemc.samplers import Compose, ComposeInfo, Info, Sampler
from gaugemc.statistics.autocorrelation import (
    R_HAT_LIMIT,
    Estimate,
    estimate,
    slow,
    z_score,
)

Z_LIMIT = 4.0
"""Two-sided false-alarm probability 6e-5 for each z-score."""
LEAST_ACCEPTANCE = 0.01
_LEAST_MOVES = 50
"""With fewer accepted proposals, a mean over them has no error that a normal distribution knows."""
_ROUNDING = 1e-9


class Kernel(NamedTuple):
    """What one kernel of a sampler reported."""

    name: str
    """Where the kernel is in the sampler: "" for the sampler itself, ".hmc" for a member."""
    info: Info
    moved: Bool[np.ndarray, "chain draw"]


def kernels(sampler: Sampler, info: Info | ComposeInfo) -> Iterator[Kernel]:
    """The kernels that a sampler is made of, from its draws [chain, draw]."""
    return _kernels(sampler, info, "", np.ones(info.accepted.shape, bool))


def _kernels(
    sampler: Sampler, info: Info | ComposeInfo, name: str, moved: Bool[np.ndarray, "chain draw"]
) -> Iterator[Kernel]:
    if not isinstance(info, ComposeInfo):
        yield Kernel(name, info, moved)
        return
    assert isinstance(sampler, Compose)
    for member, own, report, did in zip(sampler.samplers, sampler.names, info.members, info.moved):
        yield from _kernels(member, report, f"{name}.{own}", moved & np.asarray(did))


def of_chains(
    sampler: Sampler,
    draws: Draws,
    estimates: Mapping[str, Estimate],
    exact: Mapping[str, float],
    leading: Sequence[str],
) -> dict[str, Check]:
    """All checks of a sampler's chains.

    Args:
        sampler: the sampler that made the draws.
        draws: observables and infos, [chain, draw].
        estimates: the analysis of each observable.
        exact: exact expectation values, where they are known.
        leading: the observables that samplers are judged by; all scalar ones, if there are none.

    Returns:
        `convergence`; `exp_minus_delta_h`, for a composition one of each member; and one check for
        each exact value of what was measured, under the name of its observable.
    """
    leading = leading or [name for name, a in draws.observables.items() if a.ndim == 2]
    unsettled = disagreement(estimates, leading)
    checks = {"convergence": convergence(sampler, draws, estimates, leading)}
    for kernel in kernels(sampler, draws.info):
        # A kernel that draws from the density itself rejects nothing and has no dH.
        if np.any(np.asarray(kernel.info.delta_h) != 0):
            name = f"exp_minus_delta_h{kernel.name}"
            checks[name] = exp_minus_delta_h(kernel.info.delta_h, kernel.moved, unsettled)
    for name, value in exact.items():
        # A charge is zero by symmetry, however wrong the sampler.
        if name in estimates and name != "charge":
            checks[name] = against_exact(estimates[name], value, unsettled)
    return checks


def exp_minus_delta_h(
    delta_h: Float[np.ndarray | Array, "chain draw"],
    moved: Bool[np.ndarray, "chain draw"],
    unsettled: str = "",
) -> Check:
    """`<exp(-dH)> = 1`, for every kernel that accepts with min(1, exp(-dH)), in equilibrium.

    The mean itself is shown but does not decide: rare draws dominate it where acceptance is low,
    and where they are missing it is many of its errors below 1. What decides is a bounded form.
    Both follow from P(-dH) = exp(-dH) P(dH) (Crooks 1999), so that also

        `<tanh(dH / 2) / (1 + exp(dH))> = 0`,

    which for small dH is the same to second order: -(exp(-dH) - 1) / 4.

    Args:
        delta_h: minus the log of each acceptance ratio.
        moved: in which draws the kernel moved; a mixture draws that independently of all else.
        unsettled: why the chains are not in equilibrium, if they are not.
    """
    share, delta_h = float(moved.mean()), np.where(moved, delta_h, 0.0)
    with np.errstate(over="ignore"):
        weights = np.exp(-delta_h)
        balance = np.tanh(delta_h / 2) / (1 + np.exp(delta_h))
    numbers: dict[str, float | None] = {"mean": None, "error": None}
    if not math.isfinite(weights.sum()):
        numbers |= {"z": None, "limit": Z_LIMIT}
        why = "exp(-dH) is not finite"
        return (
            undecided(f"{why}, but {unsettled}", **numbers) if unsettled else failed(why, **numbers)
        )
    shown, result = estimate(weights - 1), estimate(balance)
    numbers = {"mean": 1 + shown.mean / share, "error": shown.error / share}
    moves = float(np.minimum(weights, 1)[moved].sum())
    if moves < _LEAST_MOVES:
        why = f"{moves:.0f} proposals accepted, too few"
        return undecided(why, **numbers, z=None, limit=Z_LIMIT)
    if abs(result.mean) < _ROUNDING * share:
        return Check("passed", "", {**numbers, "z": 0.0, "limit": Z_LIMIT})
    return judged(result, 0.0, unsettled, **numbers)


def against_exact(result: Estimate, exact: float, unsettled: str = "") -> Check:
    """An estimate against its exact value."""
    if not math.isfinite(result.mean):
        return failed("the mean is not finite", z=None, limit=Z_LIMIT)
    return judged(result, exact, unsettled)


def judged(result: Estimate, exact: float, unsettled: str, **numbers: float | None) -> Check:
    """The z-score of an estimate, where its error is one."""
    z = z_score(result, exact)
    if z is None or result.lower_bound:
        why = result.reason or "the error is not known"
        return undecided(why, **numbers, z=z, limit=Z_LIMIT)
    return normal(z, Z_LIMIT, unsettled, **numbers)


def convergence(
    sampler: Sampler, draws: Draws, estimates: Mapping[str, Estimate], leading: Sequence[str]
) -> Check:
    """Whether the chains moved, and have forgotten their starts.

    Chains that have not prove nothing about the sampler, so this check is passed or undecided.
    The numbers: R-hat of the leading observable where it is largest, and its limit.
    """
    chains, length = draws.info.accepted.shape
    complaints = [*immobility(kernels(sampler, draws.info), chains)]
    complaints += [why for name in leading if (why := slow(name, estimates[name], length))]
    disagree = disagreement(estimates, leading)
    if disagree:
        complaints.append(disagree)
    values = [estimates[name].r_hat for name in leading]
    known = [value for value in values if not np.isnan(value)]
    numbers = {"value": max(known, default=None), "limit": R_HAT_LIMIT}
    if complaints:
        return undecided("; ".join(complaints), **numbers)
    return Check("passed", "", numbers)


def immobility(reports: Iterator[Kernel], chains: int) -> Iterator[str]:
    """What is to be said of acceptance, and of chains that no kernel ever moved."""
    stuck, acceptance = np.ones(chains, bool), 0.0
    for kernel in reports:
        accepted = np.asarray(kernel.info.accepted) & kernel.moved
        stuck &= ~accepted.any(axis=1)
        if kernel.moved.any():
            rate = float(np.asarray(kernel.info.acceptance)[kernel.moved].mean())
            acceptance = max(acceptance, rate)
    if not acceptance >= LEAST_ACCEPTANCE:
        yield f"acceptance {acceptance:.2g}"
    if stuck.any():
        yield f"{stuck.sum()} of {chains} chains never accepted a proposal"


def disagreement(estimates: Mapping[str, Estimate], leading: Sequence[str]) -> str:
    """What R-hat of the leading observables says against equilibrium; "" where nothing."""
    values = {name: estimates[name].r_hat for name in leading}
    if any(np.isnan(value) for value in values.values()):
        return "too few draws for R-hat"
    worst = max(values, key=lambda name: values[name], default="")
    if not worst or values[worst] <= R_HAT_LIMIT:
        return ""
    return f"R-hat {values[worst]:.3g} of {spoken(worst)}: chains have not forgotten their starts"


def spoken(name: str) -> str:
    """The name of an observable in a sentence."""
    return name.replace("_", " ")
