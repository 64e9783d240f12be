"""Which settings a run uses: the one table of what has a meaning for which choice."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from gaugemc.choices.settings import Settings, flat

FLOW_SAMPLERS = ("fthmc", "flow", "mixed")
HMC_SAMPLERS = ("hmc", "fthmc", "mixed", "winding")
TRAINED = (*FLOW_SAMPLERS, "l2hmc")


def has_flow(settings: Settings) -> bool:
    """Whether the sampler stands on a flow."""
    return settings.sampler.name in FLOW_SAMPLERS


def has_leapfrog(settings: Settings) -> bool:
    """Whether the sampler stands on a trained leapfrog."""
    return settings.sampler.name == "l2hmc"


def has_network(settings: Settings) -> bool:
    """Whether anything in the run is a network."""
    return has_leapfrog(settings) or (has_flow(settings) and settings.flow.name != "multiscale")


def is_trained(settings: Settings) -> bool:
    """Whether the sampler has anything to train."""
    return settings.sampler.name in TRAINED


def has_trajectories(settings: Settings) -> bool:
    """Whether the sampler that is evaluated makes trajectories of HMC."""
    return settings.sampler.name in HMC_SAMPLERS


def has_baseline(settings: Settings) -> bool:
    """Whether tuned HMC runs beside the sampler."""
    return settings.sampler.name != "hmc" and settings.evaluate.hmc_draws > 0


def has_tuning(settings: Settings) -> bool:
    """Whether any HMC of the run is tuned."""
    return has_baseline(settings) or (has_trajectories(settings) and settings.sampler.tune)


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


def _of_flow(*names: str) -> Callable[[Settings], bool]:
    return lambda s: s.flow.name in names


def _of_sampler(*names: str) -> Callable[[Settings], bool]:
    return lambda s: s.sampler.name in names


SAMPLER = "sampler={s.sampler.name}"
RULES = (
    Rule(("flow",), has_flow, f"{SAMPLER} has no flow"),
    Rule(("dynamics", "loss"), has_leapfrog, f"{SAMPLER} has no leapfrog to train"),
    Rule(("network",), lambda s: has_network(s) or not has_flow(s), "flow={s.flow.name} has none"),
    Rule(("network",), has_network, f"{SAMPLER} has none"),
    Rule(("training", "tracker"), is_trained, f"{SAMPLER} is not trained"),
    *(
        Rule(keys, _of_flow(*flows), "flow={s.flow.name} has none")
        for keys, flows in (
            (("flow.n_layers",), ("ncp", "spline", "pair")),
            (("flow.components",), ("ncp",)),
            (("flow.rounds",), ("pair",)),
            (("flow.bound",), ("ncp", "pair")),
            (("flow.bins",), ("spline",)),
            (("flow.start",), ("multiscale",)),
        )
    ),
    Rule(
        ("network.kernel_size",),
        lambda s: not has_leapfrog(s) or s.dynamics.network != "dense",
        "dynamics.network=dense has none",
    ),
    Rule(
        ("dynamics.bound", "dynamics.split_x_networks"),
        lambda s: s.dynamics.network != "force",
        "dynamics.network=force has none",
    ),
    *(
        Rule(
            (f"loss.{part}_scale",),
            lambda s, w=f"{part}_weight": getattr(s.loss, w) > 0,
            f"loss.{part}_weight=0",
        )
        for part in ("charge", "plaquette", "whitened", "square")
    ),
    Rule(("loss.distance_scale",), lambda s: s.theory.toy is not None, "for toys"),
    Rule(
        ("training.annealing", "training.anneal_start", "training.anneal_fraction"),
        lambda s: s.training.objective != "levels",
        "training.objective=levels does not anneal",
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
    Rule(("tracker.project",), lambda s: s.tracker.name == "wandb", "tracker={s.tracker.name}"),
    Rule(("sampler.tune",), has_trajectories, f"{SAMPLER} is not tuned"),
    Rule(
        ("sampler.trajectory_length", "sampler.n_steps"),
        lambda s: has_trajectories(s) or has_baseline(s),
        f"{SAMPLER} has no trajectories",
    ),
    Rule(
        ("sampler.trajectory_length", "sampler.n_steps"),
        lambda s: has_trajectories(s) and not s.sampler.tune,
        "tuned: it is only where the tuner starts",
    ),
    Rule(
        ("sampler.integrator",),
        lambda s: has_trajectories(s) or has_baseline(s),
        f"{SAMPLER} has no trajectories",
    ),
    Rule(("sampler.force_scale",), _of_sampler("fthmc", "mixed"), f"for fthmc, not {SAMPLER}"),
    Rule(("sampler.independence",), _of_sampler("mixed"), f"for mixed, not {SAMPLER}"),
    Rule(("sampler.overrelaxation",), _of_sampler("heatbath"), f"for heatbath, not {SAMPLER}"),
    Rule(
        ("evaluate.hmc_draws", "evaluate.hmc_warmup"),
        lambda s: s.sampler.name != "hmc",
        "sampler=hmc is its own baseline",
    ),
    Rule(("evaluate.hmc_warmup",), has_baseline, "evaluate.hmc_draws=0"),
    Rule(
        tuple(
            f"evaluate.{name}"
            for name in (
                "lengths",
                "targets",
                "tune_iterations",
                "tune_draws",
                "tune_doublings",
                "most_steps",
            )
        ),
        has_tuning,
        "nothing is tuned",
    ),
)
"""The first rule about a key that finds it unused says why; a key without a rule is always used."""


def unused(settings: Settings, keys: Iterable[str] | None = None) -> dict[str, str]:
    """Those keys, or groups, that change nothing in a run of these settings, each with the reason.

    Args:
        settings: of the run.
        keys: full keys or names of groups; by default all keys.
    """
    found: dict[str, str] = {}
    for key in flat(settings) if keys is None else keys:
        rule = next((r for r in RULES if r.covers(key) and not r.used(settings)), None)
        if rule is not None:
            found[key] = rule.reason.format(s=settings)
    return found


def notice(found: dict[str, str]) -> str:
    """One line about unused settings: "flow.bins, flow.load (sampler=hmc has no flow)"."""
    reasons = dict.fromkeys(found.values())
    return "; ".join(
        f"{', '.join(key for key, why in found.items() if why == reason)} ({reason})"
        for reason in reasons
    )
