"""The study of samplers of 4D SU(3): its members, and the modes that run all of them."""

from collections.abc import Sequence
from typing import Any

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
}
"""What each sampler of a study sets; tuned HMC runs beside all of them."""


def study(betas: str, **settings: Any) -> dict[str, Any]:
    """A mode that runs every member at every beta, as `--multirun` does."""
    members = ",".join(word for word in MEMBERS if word != "none")
    return {
        "defaults": [{"override /theory": "su3_4d"}, {"override /sampler": "heatbath"}],
        "name": "study",
        "hydra": {
            "mode": "MULTIRUN",
            "sweeper": {"params": {"theory.beta": betas, "member": members}},
        },
        **settings,
    }


STUDIES = {
    "su3_4d_study": study(
        "5.7,5.9",
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
        "5.7",
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
}
"""Modes of the study; the quick one shows the page, and decides nothing."""


def set_by(member: str) -> dict[str, str]:
    """The groups that a member chooses, with their words."""
    defaults = MEMBERS.get(member, {}).get("defaults", [])
    return {k.removeprefix("override /"): v for entry in defaults for k, v in entry.items()}


def swept(overrides: Sequence[str]) -> dict[str, str]:
    """The keys that the study of a command line sweeps over, and their values; {} without one."""
    modes = [name for name in STUDIES if f"mode={name}" in overrides]
    return dict(STUDIES[modes[-1]]["hydra"]["sweeper"]["params"]) if modes else {}
