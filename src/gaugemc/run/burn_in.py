"""Burn-in of a run's samplers, by chains of their own from hot and from cold starts."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Array, Key

from gaugemc.chains.driver import hot_starts
from gaugemc.choices.settings import BURN_IN_CHAINS, BURN_IN_DRAWS, Settings
from gaugemc.run.chain_phase import PhaseResult, run_chains
from gaugemc.run.extension import BURN_IN
from gaugemc.run.phase_start import Phase
from gaugemc.run.run_directory import RunDirectory
from gaugemc.samplers import Sampler
from gaugemc.statistics.burn_in import burn_in


def run_burn_in(
    settings: Settings, directory: RunDirectory, chains: PhaseResult, key: Key[Array, ""]
) -> dict[str, Any] | None:
    """The section of summary.json about the burn-in of a sampler as tuned; None where not asked.

    The chains start hot and cold whatever the others start from, and have no warm-up. Observables
    with few measured draws are left out: few draws see large differences alone.
    """
    if settings.evaluate.burn_in == 0:
        return None
    if reason := not_measured(settings.chains, chains.sampler):
        return {"draws": 0, "after": {}, "reason": reason}
    evaluate = dataclasses.replace(settings.evaluate, cold=True, configurations=False)
    apart, draws = dataclasses.replace(settings, evaluate=evaluate), evaluate.burn_in
    phase = Phase(BURN_IN + chains.name, chains.sampler, draws, warmup=0, tune=False)
    found = run_chains(apart, directory, phase, None, key)
    measured = {n: v for n, v in found.draws.observables.items() if v.ndim == 2}
    seen = {n: v for n, v in measured.items() if v.shape[1] >= BURN_IN_DRAWS}
    hot = hot_starts(settings.chains)
    after = {name: burn_in(np.asarray(series), hot) for name, series in seen.items()}
    every = {n: 1 if v.shape[1] == draws else evaluate.measure_every for n, v in seen.items()}
    return {
        "draws": draws,
        "after": {n: None if t is None else t * every[n] for n, t in after.items()},
        "reason": "",
    }


def not_measured(chains: int, sampler: Sampler) -> str:
    """Why the burn-in of so many chains of a sampler cannot be measured; "" where it can."""
    if chains < BURN_IN_CHAINS:
        return f"needs {BURN_IN_CHAINS} chains"
    return f"chains start from {sampler.one_start}" if sampler.one_start else ""
