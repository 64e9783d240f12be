"""Burn-in of a run's samplers, by chains of their own from hot and from cold starts."""

import dataclasses
from typing import Any

from jaxtyping import Array, Key

from gaugemc.chains.driver import hot_starts
from gaugemc.choices.settings import Settings
from gaugemc.choices.uses import measures_burn_in
from gaugemc.run.chain_phase import Phase, PhaseResult, run_chains
from gaugemc.run.extension import BURN_IN
from gaugemc.run.run_directory import RunDirectory
from gaugemc.statistics.burn_in import burn_in


def run_burn_in(
    settings: Settings, directory: RunDirectory, chains: PhaseResult, key: Key[Array, ""]
) -> dict[str, Any] | None:
    """The section of summary.json about the burn-in of a sampler as tuned; None where not asked.

    The chains start hot and cold whatever the others start from, and have no warm-up.
    """
    if not measures_burn_in(settings):
        return None
    evaluate = dataclasses.replace(settings.evaluate, cold=True, configurations=False)
    apart, draws = dataclasses.replace(settings, evaluate=evaluate), evaluate.burn_in
    phase = Phase(BURN_IN + chains.name, chains.sampler, draws, warmup=0, tune=False)
    found = run_chains(apart, directory, phase, None, key)
    measured = {n: v for n, v in found.draws.observables.items() if v.ndim == 2 and v.size}
    hot = hot_starts(settings.chains)
    after = {name: burn_in(series, hot) for name, series in measured.items()}
    every = {n: 1 if v.shape[1] == draws else evaluate.measure_every for n, v in measured.items()}
    return {
        "draws": draws,
        "after": {n: None if t is None else t * every[n] for n, t in after.items()},
    }
