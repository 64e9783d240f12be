"""Hydra's configuration groups: each choice of the menu is a set of settings under a word."""

import dataclasses
from functools import cache
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from gaugemc.choices.menu import DEFAULTS, menu
from gaugemc.choices.schema import own, schema
from gaugemc.choices.settings import Settings
from gaugemc.conf.study import INDEPENDENCE, MEMBERS, SHORT_TUNING, STUDIES

EIGHT: dict[str, Any] = {"theory": {"lattice": [8, 8], "beta": 6.0}}
PAPER: dict[str, Any] = {"name": "paper_flow", "defaults": INDEPENDENCE, **EIGHT}
SPLITS: dict[str, Any] = {
    "name": "couplings",
    "defaults": [{"override /sampler": "flow"}, {"override /flow": "multiscale"}],
    **EIGHT,
    "flow": {"start": "identity"},
}
BY_BOTH: dict[str, Any] = {
    "objective": "symmetric_kl",
    "batch": 64,
    "learning_rate": 0.3,
    "chunk": 50,
}
MODES: dict[str, dict[str, Any]] = {
    "default": {},
    "demo": {
        "name": "demo",
        "defaults": [{"override /flow": "multiscale"}],
        "evaluate": {
            "draws": 2000,
            "warmup": 200,
            "hmc_draws": 10000,
            "hmc_warmup": 1000,
            "most_steps": 40,
        },
    },
    "debug": {
        "name": "debug",
        "chains": 8,
        "flow": {"n_layers": 8},
        "training": {
            "steps": 40,
            "batch": 16,
            "warmup": 5,
            "chunk": 10,
            "quality_every": 20,
            "ess_samples": 512,
        },
        "evaluate": {
            "draws": 40,
            "warmup": 10,
            "hmc_draws": 200,
            "heatbath_draws": 0,
            "hmc_warmup": 40,
            "burn_in": 0,
            "chunks": 4,
            "lengths": [1.0],
            "targets": [0.8],
            "tune_iterations": 10,
            "tune_draws": 10,
            "most_steps": 20,
            "timing_rounds": 2,
        },
    },
    "couplings_best": {
        **SPLITS,
        "training": {**BY_BOTH, "steps": 10000, "quality_every": 1000},
        "evaluate": {"draws": 4000},
    },
    "couplings_best_quick": {
        **SPLITS,
        "training": {**BY_BOTH, "steps": 500, "quality_every": 100},
        "evaluate": {"draws": 500, "hmc_draws": 500, "hmc_warmup": 200, **SHORT_TUNING},
    },
    "paper_2112_01586_flow": {
        **PAPER,
        "training": {
            "objective": "forward_kl",
            "steps": 45000,
            "learning_rate": 5e-3,
            "quality_every": 2500,
        },
        "evaluate": {"draws": 4000},
    },
    "paper_2112_01586_flow_quick": {
        **PAPER,
        "training": {
            "objective": "forward_kl",
            "steps": 1000,
            "learning_rate": 1e-2,
            "quality_every": 200,
        },
        "evaluate": {"draws": 500, "hmc_draws": 500, "hmc_warmup": 200, **SHORT_TUNING},
    },
    **STUDIES,
}
"""Settings that a mode changes; what the command line says still wins."""

RUN_DIR = "outputs/${now:%Y-%m-%d}/${now:%H-%M-%S}-${name}"
SWEEP_DIR = "multirun/${now:%Y-%m-%d}/${now:%H-%M-%S}-${name}"
"""Where runs and sweeps go; where the name is taken, a number follows."""


HYDRA: dict[str, Any] = {
    "run": {"dir": RUN_DIR},
    "sweep": {"dir": SWEEP_DIR, "subdir": "${hydra.job.num}"},
    "output_subdir": None,
    "callbacks": {"preparation": {"_target_": "gaugemc.conf.preparation.Preparation"}},
    "job": {"chdir": False, "name": "gaugemc"},
}
"""Hydra's own settings."""


def plain_groups() -> dict[str, Any]:
    """Groups with one choice, the default."""
    return {
        f.name: f.type
        for f in dataclasses.fields(Settings)
        if dataclasses.is_dataclass(f.type) and f.name not in menu()
    }


def words() -> dict[str, tuple[str, ...]]:
    """The choices of each group."""
    return {
        "mode": tuple(MODES),
        "member": tuple(MEMBERS),
        **{group: tuple(choices) for group, choices in menu().items()},
        **{group: ("default",) for group in plain_groups()},
    }


MEANINGS = {
    "mode": "values of many keys; a study runs each member at each beta, as --multirun does",
    "member": "a sampler of a study: sets sampler, flow and training; none outside a study",
}
"""What groups stand for that are no choices."""


@cache
def command() -> type:
    """The root of the configuration: the settings, and Hydra's own."""
    choices = [{group: DEFAULTS[group]} for group in ("theory", "tracker", "flow", "sampler")]
    defaults = [
        "_self_",
        *({group: "default"} for group in plain_groups()),
        *choices,  # a later one changes the settings of those before
        {"optional beside": "${theory}"},
        {"optional together": "${sampler}_${theory}"},
        {"mode": "default"},
        {"optional within": "${mode}_${theory}"},
        {"member": "none"},  # the last word of a study, whose mode is the same for all
        {"override hydra/job_logging": "none"},
        {"override hydra/hydra_logging": "none"},
    ]
    roots = [
        ("defaults", list[Any], dataclasses.field(default_factory=lambda: list(defaults))),
        ("hydra", Any, dataclasses.field(default_factory=lambda: dict(HYDRA))),
    ]
    return dataclasses.make_dataclass("Command", roots, bases=(schema(),))


def register() -> None:
    """Put every group into Hydra's store."""
    store = ConfigStore.instance()

    def put(group: str, name: str, node: Any) -> None:
        store.store(group=group, name=name, node=OmegaConf.create(node), package="_global_")

    for group, settings in plain_groups().items():
        store.store(group=group, name="default", node=settings)
    for group, choices in menu().items():
        for word, choice in choices.items():
            late = group == "theory"  # its changes win over those of a sampler
            put(group, word, {group: own(choice)} | ({} if late else dict(choice.defaults)))
            if late:
                put("beside", word, dict(choice.defaults))
                for sampler, changes in choice.with_samplers.items():  # pyright: ignore
                    put("together", f"{sampler}_{word}", dict(changes))
                for mode, changes in choice.with_modes.items():  # pyright: ignore
                    put("within", f"{mode}_{word}", dict(changes))
    for group, changed in (("mode", MODES), ("member", MEMBERS)):
        for name, changes in changed.items():
            put(group, name, changes)
    store.store(name="command", node=command())
