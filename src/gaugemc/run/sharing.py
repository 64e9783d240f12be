"""The runs of a scan that have the same draws of HMC make them once."""

import re
import shutil
from typing import Any

from gaugemc.choices.settings import Settings
from gaugemc.choices.uses import used
from gaugemc.io.atomic import write_atomically
from gaugemc.report.record import read_summary
from gaugemc.run.run_directory import RunDirectory, settings_in
from gaugemc.run.software import software

SCAN = "multirun.yaml"
"""Hydra's file in the directory of a scan."""
HMC_FILES = re.compile(r"(tune-|burn-in-)?hmc(-\w+)?-\d+\.(ckpt|draws)")
OF_SAMPLER = ("evaluate.draws", "evaluate.warmup", "evaluate.heatbath_draws")
KEYS = ("observables", "seed", "chains", "precision", "native", "sampler.integrator")


def take_hmc(settings: Settings, directory: RunDirectory) -> None:
    """Take tuning and draws of HMC from a finished run of the same scan that has the same HMC.

    HMC beside a sampler depends on what is sampled, on how it is measured and on the seed, and on
    nothing of the sampler. So these draws are bit for bit those that this run would make.
    """
    if directory.newest("tune-hmc") is not None or not (directory.path.parent / SCAN).is_file():
        return
    for other in sorted(directory.path.parent.iterdir()):
        if other != directory.path and same_hmc(settings, RunDirectory(other)):
            directory.confirm()
            # What tells that all is there comes last: the draws, then the states, then the tuning.
            files = [f for f in (other / "checkpoints").iterdir() if HMC_FILES.fullmatch(f.name)]
            for file in sorted(files, key=lambda f: (f.suffix == ".ckpt", f.name)):
                with write_atomically(directory.checkpoints / file.name) as temporary:
                    shutil.copyfile(file, temporary)
            directory.note(f"HMC has the draws that {other.name} made")
            return


def same_hmc(settings: Settings, other: RunDirectory) -> bool:
    """Whether another run is finished and its HMC is the same, in all that HMC depends on."""
    try:
        made = read_summary(other.path).part("software")
        theirs = hmc_settings(settings_in(other.begun))
        tuned = other.newest("tune-hmc") is not None
    except (OSError, ValueError):  # not finished, or damaged
        return False
    here = {key: value for key, value in software().items() if key != "date"}
    return (
        hmc_settings(settings) == theirs
        and not made.get("resumed_with")
        and here == {key: made.get(key) for key in here}
        and tuned
    )


def hmc_settings(settings: Settings) -> dict[str, Any]:
    """The settings that HMC depends on."""
    return {
        key: value
        for key, value in used(settings).items()
        if key in KEYS or (key.startswith(("theory.", "evaluate.")) and key not in OF_SAMPLER)
    }
