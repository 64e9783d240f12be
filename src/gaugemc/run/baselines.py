"""What runs beside the sampler: tuned HMC, one for each observable that needs another; heatbath."""

from collections.abc import Iterable

import jax
from jaxtyping import Array, Key

from gaugemc.arrays import Field
from gaugemc.choices.samplers.heatbath import HeatbathSampler
from gaugemc.choices.settings import Settings
from gaugemc.choices.traits import baseline
from gaugemc.run.chain_phase import PhaseResult, run_chains
from gaugemc.run.phase_start import Phase
from gaugemc.run.run_directory import RunDirectory
from gaugemc.run.sharing import take_hmc
from gaugemc.theories import Theory


def run_baselines(
    settings: Settings,
    directory: RunDirectory,
    theory: Theory,
    start: Field | None,
    key: Key[Array, ""],
) -> list[PhaseResult]:
    """Run HMC as tuned for the slowest observable, and for those that this HMC is bad for.

    The first has the name "hmc". Another one, "hmc-OBSERVABLE", is run where the tuner found a
    candidate that is significantly better for another observable that is judged. Beside HMC itself
    runs heatbath. Empty where the settings leave nothing to compare.
    """
    e = settings.evaluate
    if baseline(settings) == "heatbath":
        heatbath = HeatbathSampler().build(settings, theory, None)
        phase = Phase("heatbath", heatbath, e.heatbath_draws, e.warmup, tune=False)
        return [run_chains(settings, directory, phase, start, key)]
    if baseline(settings) != "hmc":
        return []
    take_hmc(settings, directory)
    hmc = settings.sampler.hmc(theory)
    first = Phase("hmc", hmc, e.hmc_draws, e.hmc_warmup, tune=True, each=True)
    main = run_chains(settings, directory, first, start, key)
    others = [
        run_chains(
            settings,
            directory,
            Phase(f"hmc-{name}", sampler, e.hmc_draws, e.hmc_warmup, tune=False, x=main.states.x),
            start,
            jax.random.fold_in(key, index),
        )
        for index, (name, sampler) in enumerate(main.better.items())
    ]
    return [main, *others]


def baseline_for(name: str, baselines: Iterable[str]) -> str:
    """The name of the baseline that an observable (or an entry `loop[0]`) is compared with."""
    first, *others = baselines
    wanted = f"{first}-{name.partition('[')[0]}"
    return wanted if wanted in others else first
