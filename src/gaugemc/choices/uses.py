"""Which settings a run uses: the one table of what has a meaning for which choice."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from gaugemc.choices.dynamics import LossSettings
from gaugemc.choices.menu import menu
from gaugemc.choices.schema import schema
from gaugemc.choices.settings import BURN_IN_CHAINS, Settings
from gaugemc.choices.traits import (
    anneals,
    has_flow_jumps,
    has_hmc,
    has_jumps,
    has_loop_couplings,
    has_network,
    trained,
)


class Rule(NamedTuple):
    """Where some settings have a meaning."""

    keys: tuple[str, ...]
    """Keys, or whole groups."""
    used: Callable[[Settings], bool]
    reason: str
    """Why they have none elsewhere, to be filled with the settings."""

    def covers(self, key: str) -> bool:
        """Whether the rule is about a key, or about a group."""
        return any(key == own or key.startswith(f"{own}.") for own in self.keys)


SAMPLER = "sampler={s.sampler.name}"
RULES = (
    Rule(("flow",), lambda s: s.sampler.trains == "flow", f"{SAMPLER} has no flow"),
    Rule(
        ("flow.start",),
        lambda s: s.flow.name != "multiscale" or s.theory.group == "U1",
        "the multiscale flow of {s.theory.name} has one start",
    ),
    Rule(
        ("flow.stages",),
        lambda s: s.theory.group != "U1",
        "the multiscale flow of {s.theory.name} has no stages",
    ),
    Rule(
        ("dynamics",),
        lambda s: s.sampler.trains == "dynamics",
        f"{SAMPLER} has no leapfrog to train",
    ),
    Rule(("loss",), lambda s: trained(s) is not None, f"{SAMPLER} is not trained"),
    Rule(
        ("loss",),
        lambda s: s.training.objective == "jump",
        "training.objective={s.training.objective} has no jumps",
    ),
    Rule(
        ("network",),
        lambda s: has_network(s) or s.sampler.trains != "flow",
        "flow={s.flow.name} has none",
    ),
    Rule(("network",), has_network, f"{SAMPLER} has none"),
    Rule(
        ("training", "tracker", "framework", "backend", "zero"),
        lambda s: trained(s) is not None,
        f"{SAMPLER} is not trained",
    ),
    Rule(("zero",), lambda s: s.backend == "deepspeed", "backend={s.backend}"),
    Rule(
        ("network.kernel_size",),
        lambda s: s.sampler.trains != "dynamics" or s.dynamics.network != "dense",
        "dynamics.network=dense has none",
    ),
    Rule(
        ("dynamics.bound", "dynamics.split_x_networks"),
        lambda s: s.dynamics.network not in ("force", "series"),
        "dynamics.network={s.dynamics.network} has none",
    ),
    Rule(
        ("dynamics.harmonics",),
        lambda s: s.dynamics.network == "series",
        "dynamics.network={s.dynamics.network} has none",
    ),
    Rule(
        ("dynamics.rectangles", "dynamics.integrator"),
        has_loop_couplings,
        "only dynamics.network=force has such couplings, and not in two-dimensional U(1)",
    ),
    Rule(
        tuple(f"loss.{f.name}" for f in dataclasses.fields(LossSettings) if f.name != "form"),
        has_jumps,
        "loss.form=energy has no jumps",
    ),
    *(
        Rule(
            (f"loss.{part}_scale",),
            lambda s, w=f"{part}_weight": getattr(s.loss, w) > 0,
            f"loss.{part}_weight=0",
        )
        for part in ("charge", "energy", "plaquette", "whitened", "square")
    ),
    Rule(
        ("loss.flow_time",),
        lambda s: s.loss.energy_weight > 0 or (s.theory.group != "U1" and s.loss.charge_weight > 0),
        "no part of the loss flows",
    ),
    Rule(
        ("loss.distance_weight",),
        lambda s: s.theory.group is not None,
        "toys always have the distance",
    ),
    Rule(
        ("loss.distance_scale",),
        lambda s: s.theory.group is None or s.loss.distance_weight > 0,
        "loss.distance_weight=0",
    ),
    Rule(
        ("training.learning_rate", "training.warmup", "training.clip"),
        lambda s: s.training.objective != "none",
        "training.objective=none takes no steps",
    ),
    Rule(
        ("training.annealing", "training.anneal_start", "training.anneal_fraction"),
        anneals,
        "what is trained knows one beta",
    ),
    Rule(
        ("training.lattice",),
        lambda s: s.theory.group is not None,
        "{s.theory.name} has no lattice",
    ),
    Rule(("training.clip",), has_jumps, "loss.form=energy shortens long steps by itself"),
    Rule(
        ("training.force_beta",),
        lambda s: s.training.objective == "forces",
        "training.objective={s.training.objective} has no other beta",
    ),
    Rule(
        ("training.anneal_start", "training.anneal_fraction", "training.eras"),
        lambda s: s.training.annealing != "none",
        "training.annealing=none",
    ),
    Rule(
        ("training.eras",),
        lambda s: s.training.annealing == "eras",
        "training.annealing={s.training.annealing}",
    ),
    Rule(
        ("training.patience", "training.plateau_window", "training.plateau_factor"),
        lambda s: s.training.schedule == "plateau",
        "training.schedule={s.training.schedule}",
    ),
    Rule(
        ("sampler.trajectory_length", "sampler.n_steps"),
        lambda s: not s.sampler.tuned or has_flow_jumps(s),
        "the tuner finds both",
    ),
    Rule(
        ("native",),
        lambda s: s.theory.group is not None,
        "{s.theory.name} has no compiled kernels",
    ),
    Rule(
        ("sampler.integrator",),
        lambda s: s.sampler.has_trajectories or has_hmc(s),
        f"{SAMPLER} has no trajectories",
    ),
    Rule(
        ("evaluate.hmc_draws", "evaluate.hmc_warmup"),
        lambda s: not s.sampler.is_baseline,
        f"{SAMPLER} is its own baseline",
    ),
    Rule(
        ("evaluate.heatbath_draws",),
        lambda s: s.sampler.is_baseline,
        f"{SAMPLER} runs beside tuned HMC",
    ),
    Rule(
        ("evaluate.burn_in",),
        lambda s: s.evaluate.burn_in == 0 or s.chains >= BURN_IN_CHAINS,
        f"needs {BURN_IN_CHAINS} chains",
    ),
    Rule(("evaluate.cold",), lambda s: s.evaluate.start is None, "evaluate.start is a file"),
    Rule(
        ("evaluate.flow_step", "evaluate.flow_kernel"),
        lambda s: s.evaluate.flow_time > 0,
        "evaluate.flow_time=0",
    ),
    Rule(
        ("evaluate.format",), lambda s: s.evaluate.configurations, "evaluate.configurations=false"
    ),
    Rule(("evaluate.hmc_warmup",), has_hmc, "evaluate.hmc_draws=0"),
    Rule(
        tuple(
            f"evaluate.{name}"
            for name in (
                "lengths",
                "targets",
                "tune_for",
                "tune_iterations",
                "tune_draws",
                "tune_doublings",
                "most_steps",
            )
        ),
        lambda s: has_hmc(s) or s.sampler.tuned,
        "nothing is tuned",
    ),
)
"""The first rule about a key that finds it unused says why; a key without a rule is always used."""


def unused(settings: Settings, keys: Iterable[str] | None = None) -> dict[str, str]:
    """Those keys, or groups, that change nothing in a run of these settings, each with the reason.

    Args:
        settings: of the run.
        keys: full keys or names of groups; by default all keys of all choices.
    """
    found: dict[str, str] = {}
    for key in flat(schema()()) if keys is None else keys:
        rule = next((r for r in RULES if r.covers(key) and not r.used(settings)), None)
        group, _, name = key.partition(".")
        if rule is not None:
            found[key] = rule.reason.format(s=settings)
        elif group in menu() and name and not hasattr(getattr(settings, group), name):
            found[key] = f"{group}={getattr(settings, group).word()} has none"
    return found


def flat(settings: Any) -> dict[str, Any]:
    """Settings by their full keys."""
    found: dict[str, Any] = {}
    for group, members in dataclasses.asdict(settings).items():
        nested = isinstance(members, dict)
        found |= {f"{group}.{k}": v for k, v in members.items()} if nested else {group: members}
    return found


def used(settings: Settings) -> dict[str, Any]:
    """The settings that change a run, by their full keys.

    What shares the chains is of the start of a run, and may be others whenever the run goes on.
    The step size of a leapfrog is a number, also where the theory chose it.
    """
    every = {key: v for key, v in flat(settings).items() if not key.startswith("devices.")}
    every["dynamics.eps"] = settings.dynamics.step(settings.theory)
    useless = unused(settings, every)
    return {key: value for key, value in every.items() if key not in useless}


def tree(settings: Settings) -> dict[str, Any]:
    """The settings that change a run, by group and key."""
    nested: dict[str, Any] = {}
    for key, value in used(settings).items():
        group, _, name = key.rpartition(".")
        (nested.setdefault(group, {}) if group else nested)[name] = value
    return nested


def said_unused(settings: Settings, words: Iterable[str]) -> str:
    """A line about words of a command line that change nothing; "" where all do."""
    found = unused(settings, (word.lstrip("+").split("=")[0] for word in words))
    return f"unused: {notice(found)}" if found else ""


def notice(found: dict[str, str]) -> str:
    """One line about unused settings: "flow.bins, flow.load (sampler=hmc has no flow)"."""
    reasons = dict.fromkeys(found.values())
    return "; ".join(
        f"{', '.join(key for key, why in found.items() if why == reason)} ({reason})"
        for reason in reasons
    )
