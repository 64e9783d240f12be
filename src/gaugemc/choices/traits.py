"""What a run of some settings has and does, where this follows from several of them."""

import dataclasses
from typing import Any

from gaugemc.choices.settings import Settings


def trained(settings: Settings) -> Any:
    """The settings of what the sampler needs trained, a flow or a leapfrog; None without."""
    return getattr(settings, settings.sampler.trains) if settings.sampler.trains else None


def where_trained(settings: Settings) -> Settings:
    """The same settings on the lattice of training."""
    lattice = settings.training.lattice or settings.theory.lattice
    return dataclasses.replace(
        settings, theory=dataclasses.replace(settings.theory, lattice=lattice)
    )


def load_key(settings: Settings) -> str:
    """The setting that names a run whose trained model to start from."""
    return f"{settings.sampler.trains}.load"


def has_network(settings: Settings) -> bool:
    """Whether anything in the run is a network."""
    if settings.sampler.trains == "dynamics":
        return settings.dynamics.has_networks(settings.theory)
    model = trained(settings)
    return model is not None and model.has_network


def has_loop_couplings(settings: Settings) -> bool:
    """Whether it trains a leapfrog of forces of loops."""
    leapfrog = settings.sampler.trains == "dynamics"
    return leapfrog and settings.dynamics.has_loop_couplings(settings.theory)


def baseline(settings: Settings) -> str:
    """What runs beside the sampler: tuned hmc, heatbath beside HMC itself, or "" for nothing."""
    if settings.sampler.is_baseline:
        return "heatbath" if settings.evaluate.heatbath_draws > 0 else ""
    return "hmc" if settings.evaluate.hmc_draws > 0 else ""


def has_hmc(settings: Settings) -> bool:
    """Whether tuned HMC runs beside the sampler."""
    return baseline(settings) == "hmc"


def baseline_draws(settings: Settings) -> int:
    """The draws of each chain of the baseline, 0 without one."""
    name = baseline(settings)
    return getattr(settings.evaluate, f"{name}_draws") if name else 0


UNANNEALED = ("forward_kl", "symmetric_kl", "levels", "forces", "none")
"""Objectives that know one beta."""


def has_jumps(settings: Settings) -> bool:
    """Whether a leapfrog is trained for jumps, and not for small energy errors."""
    return settings.sampler.trains != "dynamics" or settings.loss.form != "energy"


def has_flow_jumps(settings: Settings) -> bool:
    """Whether a flow is trained for the jumps of trajectories in its variables."""
    return settings.sampler.trains == "flow" and settings.training.objective == "jump"


def batches(settings: Settings) -> list[int]:
    """The sizes of the batches of training, in turn."""
    t = settings.training
    return [-(-t.batch // 2**doublings) for doublings in range(t.doublings, -1, -1)]


def shares_batches(settings: Settings) -> bool:
    """Whether devices can share each batch: parts have losses of their own, with this objective."""
    return settings.training.objective != "levels" and has_jumps(settings)


def anneals(settings: Settings) -> bool:
    """Whether what is trained may be trained at smaller beta first."""
    return settings.training.objective not in UNANNEALED and has_jumps(settings)


def force_beta(settings: Settings) -> float:
    """The smaller beta whose forces are the aim of training.objective=forces."""
    given = settings.training.force_beta
    return 0.8 * settings.theory.beta if given is None else given
