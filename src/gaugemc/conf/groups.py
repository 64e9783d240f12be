"""Hydra's configuration groups: each choice is a set of settings under a name."""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from gaugemc.choices.settings import (
    PACKAGES,
    DynamicsSettings,
    EvaluateSettings,
    FlowSettings,
    LossSettings,
    NetworkSettings,
    SamplerSettings,
    Settings,
    TheorySettings,
    TrackerSettings,
    TrainingSettings,
)


def toy(name: str, title: str) -> TheorySettings:
    """The settings of one of the toys."""
    return TheorySettings(title, None, [], 1.0, name)


def toy_changes(
    distance_scale: float, n_leapfrog: int = 2, **changes: dict[str, Any]
) -> dict[str, Any]:
    """Settings of other groups that the choice of a toy changes: what trains L2HMC well on it."""
    common: dict[str, dict[str, Any]] = {
        "dynamics": {"network": "dense", "n_leapfrog": n_leapfrog},
        "network": {"hidden": [16, 16]},
        "loss": {"form": "mixed", "charge_weight": 0.0, "distance_scale": distance_scale},
        "training": {"steps": 5000, "batch": 200, "learning_rate": 3e-3},
        "evaluate": {"draws": 2000, "lengths": [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]},
    }
    return {group: settings | changes.get(group, {}) for group, settings in common.items()}


THEORIES: dict[str, TheorySettings] = {
    "u1_2d": TheorySettings("2D U(1)", "U1", [8, 8], 4.0),
    "su2_2d": TheorySettings("2D SU(2)", "SU2", [8, 8], 4.0),
    "su3_2d": TheorySettings("2D SU(3)", "SU3", [8, 8], 6.0),
    "su3_4d": TheorySettings("4D SU(3)", "SU3", [4, 4, 4, 4], 5.7),
    "correlated_gaussian": toy("correlated_gaussian", "strongly correlated Gaussian"),
    "ill_conditioned_gaussian": toy("ill_conditioned_gaussian", "ill-conditioned Gaussian"),
    "two_gaussians": toy("two_gaussians", "two Gaussians"),
    "rough_well": toy("rough_well", "rough well"),
    "funnel": toy("funnel", "funnel"),
    "ring": toy("ring", "ring"),
}

TOY_CHANGES = {
    "correlated_gaussian": toy_changes(
        1000.0,
        n_leapfrog=1,
        network={"hidden": [32]},
        loss={"whitened_weight": 1.0, "whitened_scale": 20.0},
        training={"steps": 10000},
    ),
    "ill_conditioned_gaussian": toy_changes(
        20000.0,
        n_leapfrog=5,
        dynamics={"eps": 0.1, "bound": 40.0},
        network={"hidden": [32]},
        loss={
            "whitened_weight": 1.0,
            "whitened_scale": 500.0,
            "square_weight": 1.0,
            "square_scale": 50000.0,
        },
        training={"steps": 2000, "annealing": "none"},
    ),
    "two_gaussians": toy_changes(
        16.0,
        n_leapfrog=5,
        loss={"form": "plain"},  # the mixed loss gives up the long jumps for safe short ones
        training={"anneal_start": 0.02, "anneal_fraction": 0.8},
    ),
    "rough_well": toy_changes(20.0, training={"learning_rate": 1e-3, "annealing": "none"}),
    "funnel": toy_changes(100.0),
    "ring": toy_changes(10.0),
}
"""Settings of other groups that the choice of a toy changes.

A large scale of the distance trains for few small jumps rather than for long ones: the longest are
those from x to -x, which never change x^2. The whitened distance moves the narrow directions too.
"""

SAMPLERS = {
    name: SamplerSettings(name)
    for name in ("fthmc", "flow", "mixed", "l2hmc", "hmc", "heatbath", "winding", "exact")
}
SAMPLER_CHANGES: dict[str, dict[str, Any]] = {
    "l2hmc": {
        "network": {"hidden": [4], "kernel_size": 1},
        "loss": {"form": "plain"},
        "training": {
            "objective": "jump",
            "steps": 1000,
            "learning_rate": 1e-3,
            "quality_every": 250,
        },
    },
}
"""Settings of other groups that the choice of a sampler changes."""

FLOWS = {name: FlowSettings(name) for name in ("ncp", "spline", "pair", "multiscale")}
FLOW_CHANGES: dict[str, dict[str, Any]] = {
    "multiscale": {
        "sampler": {"force_scale": 0.3},
        "training": {
            "objective": "levels",
            "steps": 1000,
            "batch": 96,
            "learning_rate": 1e-2,
            "chunk": 100,
            "quality_every": 200,
        },
    },
}
"""Settings of other groups that the choice of a flow changes."""

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
            "most_steps": 20,
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
            "hmc_warmup": 40,
            "chunks": 4,
            "lengths": [1.0],
            "targets": [0.8],
            "tune_iterations": 10,
            "tune_draws": 10,
            "most_steps": 20,
            "timing_rounds": 2,
        },
    },
}
"""Settings that a mode changes; what the command line says still wins."""

MODE_BETAS = {("demo", "u1_2d"): 6.0, ("debug", "u1_2d"): 2.0}
"""The beta of a theory in a mode, where it is not the theory's own."""


DEFAULTS: dict[str, Any] = {
    "network": NetworkSettings(),
    "dynamics": DynamicsSettings(),
    "loss": LossSettings(),
    "training": TrainingSettings(),
    "evaluate": EvaluateSettings(),
}
"""Groups with one choice, the default."""

CHOICES: dict[str, tuple[str, ...]] = {
    "mode": tuple(MODES),
    "theory": tuple(THEORIES),
    "sampler": tuple(SAMPLERS),
    "flow": tuple(FLOWS),
    "tracker": tuple(PACKAGES),
    **{group: ("default",) for group in DEFAULTS},
}
"""The choices of each group."""


RUN_DIR = "outputs/${now:%Y-%m-%d}/${now:%H-%M-%S}-${name}"
SWEEP_DIR = "multirun/${now:%Y-%m-%d}/${now:%H-%M-%S}-${name}"
"""Where runs and sweeps go; where the name is taken, a number follows."""


@dataclass
class Command(Settings):
    """The root of the configuration: the settings, and Hydra's own."""

    defaults: list[Any] = field(
        default_factory=lambda: [
            "_self_",
            {"theory": "u1_2d"},
            {"network": "default"},
            {"dynamics": "default"},
            {"loss": "default"},
            {"training": "default"},
            {"evaluate": "default"},
            {"tracker": "none"},
            {"flow": "ncp"},
            {"sampler": "fthmc"},
            {"optional toy": "${theory}"},
            {"mode": "default"},
            {"optional coupling": "${mode}_${theory}"},
            {"override hydra/job_logging": "none"},
            {"override hydra/hydra_logging": "none"},
        ]
    )
    hydra: Any = field(
        default_factory=lambda: {
            "run": {"dir": RUN_DIR},
            "sweep": {
                "dir": SWEEP_DIR,
                "subdir": "${hydra.job.num}",
            },
            "output_subdir": None,
            "callbacks": {"preparation": {"_target_": "gaugemc.conf.preparation.Preparation"}},
            "job": {"chdir": False, "name": "gaugemc"},
        }
    )


def register() -> None:
    """Put every group into Hydra's store."""
    store = ConfigStore.instance()
    for group, choices in {
        "theory": THEORIES,
        **{group: {"default": node} for group, node in DEFAULTS.items()},
        "tracker": {name: TrackerSettings(name) for name in PACKAGES},
    }.items():
        for name, node in choices.items():
            store.store(group=group, name=name, node=node)
    for name, flow in FLOWS.items():
        node = OmegaConf.create({"flow": flow, **FLOW_CHANGES.get(name, {})})
        store.store(group="flow", name=name, node=node, package="_global_")
    for name in SAMPLERS:
        node = OmegaConf.create({"sampler": {"name": name}, **SAMPLER_CHANGES.get(name, {})})
        store.store(group="sampler", name=name, node=node, package="_global_")
    for name, changes in TOY_CHANGES.items():
        store.store(group="toy", name=name, node=OmegaConf.create(changes), package="_global_")
    for name, changes in MODES.items():
        store.store(group="mode", name=name, node=OmegaConf.create(changes), package="_global_")
    for (mode, theory), beta in MODE_BETAS.items():
        node = OmegaConf.create({"theory": {"beta": beta}})
        store.store(group="coupling", name=f"{mode}_{theory}", node=node, package="_global_")
    store.store(name="command", node=Command)
