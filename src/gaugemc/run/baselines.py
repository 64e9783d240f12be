"""Tuned HMC beside the sampler: a run for each observable that needs another HMC."""

from collections.abc import Iterable

import jax
from jaxtyping import Array, Key

from gaugemc.choices.settings import Settings
from gaugemc.choices.uses import has_baseline
from gaugemc.run.chain_phase import Phase, PhaseResult, run_chains
from gaugemc.run.run_directory import RunDirectory
from gaugemc.theories import Theory


def run_baselines(
    settings: Settings, directory: RunDirectory, theory: Theory, key: Key[Array, ""]
) -> list[PhaseResult]:
    """Run HMC as tuned for the theory's first leading observable, and for those that it is bad for.

    The first has the name "hmc". Another one, "hmc-OBSERVABLE", is run where the tuner found a
    candidate that is significantly better for a leading observable. Empty where the settings
    (`evaluate.hmc_draws`) or the sampler leave nothing to compare.
    """
    e = settings.evaluate
    if not has_baseline(settings):
        return []
    hmc = settings.sampler.hmc(theory)
    first = Phase("hmc", hmc, e.hmc_draws, e.hmc_warmup, tune=True, each=True)
    main = run_chains(settings, directory, first, key)
    others = [
        run_chains(
            settings,
            directory,
            Phase(f"hmc-{name}", sampler, e.hmc_draws, e.hmc_warmup, tune=False),
            jax.random.fold_in(key, index),
        )
        for index, (name, sampler) in enumerate(main.better.items())
    ]
    return [main, *others]


def baseline_for(name: str, baselines: Iterable[str]) -> str:
    """The name of the baseline that an observable (or an entry `loop[0]`) is compared with."""
    wanted = f"hmc-{name.partition('[')[0]}"
    return wanted if wanted in baselines else "hmc"
