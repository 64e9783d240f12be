"""What may change in a run that goes on: more draws, and what does not touch its numbers."""

import contextlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gaugemc.choices.option import SettingsError
from gaugemc.choices.schema import settings_of
from gaugemc.choices.settings import Settings
from gaugemc.choices.traits import load_key
from gaugemc.choices.uses import flat, unused
from gaugemc.io.checkpoint import latest_checkpoint, read_metadata
from gaugemc.report.record import read_summary

FREE = ("progress", "strict")
"""Settings that may change whenever a run goes on; config.yaml keeps the first ones."""

BURN_IN = "burn-in-"
"""Begins the name of a phase that measures the burn-in of another one."""

DRAWS = {
    "evaluate.draws": "evaluate.warmup",
    "evaluate.hmc_draws": "evaluate.hmc_warmup",
    "evaluate.heatbath_draws": "evaluate.warmup",
}
"""Numbers of draws that may change, each with that of the draws discarded first."""


def with_overrides(stored: Settings, overrides: Sequence[str], directory: Path) -> Settings:
    """The settings of a run in which some KEY=VALUE are changed.

    Raises:
        SettingsError: the key cannot change in a run, or the value is of another type.
    """
    settings = stored
    for override in overrides:
        key, _, value = override.partition("=")
        started = key.startswith("devices.") and key in flat(stored)
        if not started and key not in (*DRAWS, *FREE):
            raise SettingsError(key, value, refusal(key, stored, directory))
        if value in ("", "???"):
            raise SettingsError(key, value, f"needs a value: {key}=VALUE")
        if key in unused(stored, [key]):
            problem = f"a run of sampler={stored.sampler.name} has no such baseline"
            raise SettingsError(key, value, problem)
        try:
            tree = OmegaConf.merge(asdict(settings), OmegaConf.from_dotlist([override]))
            settings = settings_of(OmegaConf.to_container(tree))  # pyright: ignore
        except OmegaConfBaseException as error:
            raise SettingsError(key, value, str(error).splitlines()[0]) from error
    return settings


def refusal(key: str, stored: Settings, directory: Path) -> str:
    """Why a key cannot change in a run, and what to do instead."""
    if key not in flat(stored):
        return f"no such key; of a run, choose one of {', '.join((*DRAWS, *FREE))}"
    if key.startswith("training.") and stored.sampler.trains:
        return (
            "cannot change in a run; more training is a new run that starts from what this one"
            f" trained: {load_key(stored)}={directory}"
        )
    return f"cannot change in a run, only {', '.join((*DRAWS, *FREE))} can; start a new run"


def check_draws(key: str, settings: Settings, checkpoints: Path, summary: Path) -> None:
    """Raise SettingsError if more draws are done than wanted: none is thrown away.

    Draws are done that the newest checkpoint has, or that a finished run counted in its summary.
    """
    wanted, sampler = flat(settings), key == "evaluate.draws"
    done = most_draws(checkpoints, of_baseline=not sampler) - wanted[DRAWS[key]]
    with contextlib.suppress(FileNotFoundError, ValueError):  # not finished, or damaged
        phases = read_summary(summary.parent).phases
        counted = [
            part["draws"] for name, part in phases.items() if (name == "evaluate") == sampler
        ]
        done = max(done, *counted, 0)
    if wanted[key] < done:
        raise SettingsError(
            key, wanted[key], f"{done} are done, and none is thrown away; choose {done} or more"
        )


def most_draws(checkpoints: Path, *, of_baseline: bool) -> int:
    """Draws of each chain, warm-up included, in the checkpoints of the sampler or the baseline."""
    phases = {path.name.rpartition("-")[0] for path in checkpoints.glob("*-*.ckpt")}
    phases = {phase for phase in phases if not phase.startswith(BURN_IN)}
    newest = [
        latest_checkpoint(checkpoints, phase, lambda _: None)
        for phase in phases
        if (phase != "evaluate") == of_baseline
    ]
    return max((read_metadata(path).get("draws", 0) for path in newest if path), default=0)
