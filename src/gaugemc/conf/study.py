"""Studies: modes that run several samplers on one theory or more, and draw one page of all.

The study of samplers of 4D SU(3) is ours. The others have what two papers compare.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def hmc(**told: float | int) -> dict[str, Any]:
    """HMC as it is told, to be compared with tuned HMC."""
    return {"defaults": [{"override /sampler": "hmc"}], "sampler": {"tune": False, **told}}


NCP = [{"override /sampler": "fthmc"}, {"override /flow": "ncp"}]
INDEPENDENCE = [{"override /sampler": "flow"}, {"override /flow": "ncp"}]
TRAINED_NCP = {"load": "gaugemc:ncp_8x8_beta6"}
STOUT = [{"override /sampler": "fthmc"}, {"override /flow": "stout"}]
MEMBERS: dict[str, dict[str, Any]] = {
    "none": {},
    "heatbath": {"defaults": [{"override /sampler": "heatbath"}]},
    "l2hmc": {"defaults": [{"override /sampler": "l2hmc"}]},
    "stout": {
        "defaults": STOUT,
        "flow": {"sweeps": 1, "rho": 0.08},
        "training": {"objective": "none"},
    },
    "trained_stout": {
        "defaults": STOUT,
        "flow": {"sweeps": 1, "rho": 0.08},
        "training": {"objective": "forces", "batch": 2},
    },
    "toy_l2hmc": {
        "defaults": [{"override /sampler": "l2hmc"}],
        "dynamics": {"load": "gaugemc:${theory.choice}"},
        "training": {"steps": 0},
    },
    "series_l2hmc": {
        "defaults": [{"override /sampler": "l2hmc"}],
        "dynamics": {"network": "series", "load": "gaugemc:series_16x16_beta${theory.beta}"},
        "training": {"steps": 0},
    },
    "dense_l2hmc": {
        "defaults": [{"override /sampler": "l2hmc"}],
        "dynamics": {"network": "dense", "n_leapfrog": 10, "eps": 0.1, "direction": "random"},
        "network": {"hidden": [16, 16]},
        "loss": {"form": "mixed"},
    },
    "paper_flow": {
        "defaults": NCP,
        "flow": TRAINED_NCP,
        "training": {"objective": "none"},
    },
    "damped_flow": {
        "defaults": NCP,
        "flow": TRAINED_NCP,
        "training": {"objective": "none"},
        "sampler": {  # nearly a straight line, which no narrow spike of the force throws off
            "force_scale": 0.03,
            "integrator": "leapfrog",
            "trajectory_length": 2.0,
            "n_steps": 1,
            "tune": False,
        },
    },
    "paper_independence": {
        "defaults": INDEPENDENCE,
        "flow": TRAINED_NCP,
        "training": {"objective": "none"},
    },
    "best_couplings": {
        "defaults": [{"override /sampler": "fthmc"}, {"override /flow": "multiscale"}],
        "flow": {"load": "gaugemc:couplings_8x8_beta6", "start": "identity"},
        "training": {"objective": "none"},
        "sampler": {"trajectory_length": 0.5, "n_steps": 1, "tune": False},
    },
    "retrained_flow": {
        "defaults": NCP,
        "flow": TRAINED_NCP,
        "training": {"objective": "forward_kl", "learning_rate": 1e-3},
    },
    "hmc": hmc(),
    "hmc_half": hmc(trajectory_length=0.5, n_steps=5),
    "hmc_one": hmc(trajectory_length=1.0, n_steps=10),
    "hmc_two": hmc(trajectory_length=2.0, n_steps=20),
}
"""What each sampler of a study sets; tuned HMC runs beside all of them."""


def study(
    theory: str, members: Sequence[str], over: Mapping[str, str], /, **settings: Any
) -> dict[str, Any]:
    """A mode that runs every member with every value of other keys, as `--multirun` does."""
    sampler = set_by(members[0])["sampler"]
    return {
        "defaults": [{"override /theory": theory}, {"override /sampler": sampler}],
        "name": "study",
        "hydra": {
            "mode": "MULTIRUN",
            "sweeper": {"params": {**over, "member": ",".join(members)}},
        },
        **settings,
    }


def set_by(member: str) -> dict[str, str]:
    """The groups that a member chooses, with their words."""
    defaults = MEMBERS.get(member, {}).get("defaults", [])
    return {k.removeprefix("override /"): v for entry in defaults for k, v in entry.items()}


OURS = ("heatbath", "l2hmc", "stout", "trained_stout")
TOYS = "correlated_gaussian,ill_conditioned_gaussian,two_gaussians,rough_well"
"""Of 1711.09268, section 5.1."""
SEED = (
    "paper_flow",
    "damped_flow",
    "retrained_flow",
    "paper_independence",
    "best_couplings",
    "hmc_two",
)
LENGTHS = ("series_l2hmc", "dense_l2hmc", "hmc_half", "hmc_one", "hmc_two")
SHORT_TUNING: dict[str, Any] = {
    "tune_iterations": 20,
    "tune_draws": 20,
    "tune_doublings": 0,
    "timing_rounds": 3,
    "chunks": 2,
}


STUDIES = {
    "su3_4d_study": study(
        "su3_4d",
        OURS,
        {"theory.beta": "5.7,5.9"},
        theory={"lattice": [8, 8, 8, 8]},
        chains=4,  # twice as long as 8 for the same cost: tau_int is tens of draws
        evaluate={
            "draws": 1000,
            "hmc_draws": 4000,  # made once for all members, and in the error of every ratio
            "burn_in": 60,
            "measure_every": 4,
            "flow_time": 2.0,  # L^2 / 32
            "flow_step": 0.25,
            "tune_draws": 60,
        },
    ),
    "su3_4d_study_quick": study(
        "su3_4d",
        OURS,
        {"theory.beta": "5.7"},
        theory={"lattice": [4, 4, 4, 4]},
        chains=4,
        dynamics={"eps": 0.1},  # accepts already; the usual step waits for training
        training={
            "steps": 4,
            "batch": 2,
            "warmup": 1,
            "chunk": 2,
            "quality_every": 4,
            "ess_samples": 16,
        },
        evaluate={
            "draws": 60,
            "warmup": 20,
            "hmc_draws": 60,
            "hmc_warmup": 20,
            "burn_in": 20,
            "measure_every": 2,
            "flow_time": 0.5,  # L^2 / 32
            "chunks": 2,
            "lengths": [1.0],
            "targets": [0.8],
            "tune_iterations": 10,
            "tune_draws": 10,
            "most_steps": 30,
            "timing_rounds": 2,
        },
    ),
    "paper_1711_09268": study(
        "correlated_gaussian",
        ("toy_l2hmc", "hmc"),
        {"theory": TOYS},
        sampler={"integrator": "leapfrog"},
    ),
    "paper_1711_09268_quick": study(
        "correlated_gaussian",
        ("toy_l2hmc", "hmc"),
        {"theory": TOYS},
        sampler={"integrator": "leapfrog"},
        evaluate={"draws": 500, "hmc_draws": 500, "hmc_warmup": 200, **SHORT_TUNING},
    ),
    "paper_2112_01586": study(
        "u1_2d",
        SEED,
        {"theory.lattice": "[8,8],[16,16]"},
        theory={"beta": 6.0},
        training={"steps": 2000, "quality_every": 200},
        evaluate={"draws": 2000, "hmc_draws": 8000, "hmc_warmup": 1000, "most_steps": 40},
    ),
    "paper_2112_01586_quick": study(
        "u1_2d",
        SEED,
        {"theory.lattice": "[8,8],[16,16]"},
        theory={"beta": 6.0},
        chains=8,
        training={"steps": 40, "batch": 8, "chunk": 10, "quality_every": 10, "ess_samples": 512},
        evaluate={
            "draws": 150,
            "warmup": 10,
            "hmc_draws": 500,
            "hmc_warmup": 200,
            "burn_in": 0,
            **SHORT_TUNING,
            "lengths": [1.0],
            "targets": [0.8],
            "tune_iterations": 10,
            "tune_draws": 5,
            "most_steps": 8,
        },
    ),
    "paper_2105_03418": study(
        "u1_2d",
        LENGTHS,
        {"theory.beta": "2,3,4,5,6,7"},
        theory={"lattice": [16, 16]},
        dynamics={"eps": 0.25},
        training={"steps": 1600, "learning_rate": 3e-3, "quality_every": 800},
        evaluate={"draws": 4000, "hmc_draws": 8000, "hmc_warmup": 1000, "most_steps": 40},
    ),
    "paper_2105_03418_quick": study(
        "u1_2d",
        ("series_l2hmc", "hmc_half", "hmc_two"),
        {"theory.beta": "2,3,4"},
        theory={"lattice": [16, 16]},
        chains=16,
        dynamics={"eps": 0.25},
        evaluate={"draws": 500, "hmc_draws": 500, "hmc_warmup": 200, **SHORT_TUNING},
    ),
}
"""Modes that are studies. A quick one shows the page of the other, and decides nothing."""


def swept(overrides: Sequence[str]) -> dict[str, str]:
    """The keys that the study of a command line sweeps over, and their values; {} without one."""
    modes = [name for name in STUDIES if f"mode={name}" in overrides]
    return dict(STUDIES[modes[-1]]["hydra"]["sweeper"]["params"]) if modes else {}
